"""A report as one HTML page: charts as SVG made here, a template, a style sheet and a small script."""
