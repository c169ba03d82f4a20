"""Names that vulture takes for dead, and who reads each."""

_ = object()

# --- called or read by a library -----------------------------------------------------------------
_.__wrapped__  # read by inspect
_.exc_info  # context managers are called with it
_.pytest_addoption, _.pytest_configure, _.pytest_runtest_setup, _.pytest_runtest_teardown  # hooks of pytest
_.pytest_fixture_setup, _.pytest_runtest_makereport, _.pytest_report_teststatus
_.pytest_runtest_logreport, _.pytest_terminal_summary
_.pytest_refuse_wrong_marker  # a hook wrapper of pytest_collection_modifyitems, under a name of ours
_.gateway_loop  # a fixture
_.next_phase  # of a plan, called by tests of other projects
_.pause_writing, _.data_received  # asyncio's protocols
_.max_length  # a parameter in a protocol of coding.py
_.__signature__, _.__annotations__  # of a command, read by Typer
_.num_tickets  # ssl.SSLContext
_.lastResort  # of logging
_.on_broken_pipe  # rich.console.Console

# --- found by name, or read as JSON --------------------------------------------------------------
_.__getattr__  # of a module: names that are imported when they are first asked for
_.untrusted, _.nofile, _.grace, _.bystanders  # fields of a cell that run/job.py writes into the job as a whole
_.ended_by_others  # of core/agent_log.Clients, shown by name
_.expires_ms, _.per_hour_low, _.per_hour_high, _.until_limit, _.import_ms  # fields of JSON documents
_.removed, _.nodelay, _.gave_up_after, _.keepalive_asked, _.own_proxy  # keys of core/facts.py, read as such
_.leaked  # an argument of the marker limit_sockets
_.IN_MATRIX, _.LOOP, _.CHECK, _.ENDPOINT, _.HERMES  # constants of strategies and workloads, read by core/leaves.py
_.ON_DEMAND, _.CONDITIONS  # the same
(
    _.tone,
    _.charts,
    _.unfolded,
    _.accused,
    _.left_out,
    _.sections,
    _.pictures,
    _.unpictured,
    _.folded,
)  # by reporters/page/page.html

# --- for who wants a JSON value without names --------------------------------------------------------
_.of_json
_.RECORDS  # by scripts/schema.py

# --- overridden: the library calls them -------------------------------------------------------------
_.daemon_threads, _.block_on_close, _.address_family, _.request_queue_size, _.server_name  # those of cli/scraped.py
_.verify_request, _.handle_error, _.rfile, _.log_message
_.randint  # rstr, of the chance that provider/answers/instance.py gives it

# --- for users of the Python API, tried by tests --------------------------------------------------
_.closed_connections, _.open_connections, _.proxy_url, _.open_tunnels  # hermes_diag.provider.Provider
