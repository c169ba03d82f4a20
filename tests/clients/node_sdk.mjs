// The Node SDK: one streamed turn for each line on stdin, what came of it as JSON on stdout. Retries are its own.
import OpenAI from 'openai';
import { turns } from './node_turns.mjs';

const [base_url, timeout] = process.argv.slice(2);
const client = new OpenAI({ baseURL: base_url, apiKey: 'none', timeout: Number(timeout) });

await turns(async () => {
  let text = '', terminal = false;
  const stream = await client.responses.create({ model: 'gpt-5', input: 'hi', stream: true });
  for await (const event of stream) {
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type === 'error') throw new Error('error event');
    if (event.type === 'response.failed' || event.type === 'response.incomplete') throw new Error(event.type);
    if (event.type === 'response.completed') terminal = true;
  }
  return { text, terminal };
});
