// The Vercel AI SDK: one streamed turn for each line on stdin, what came of it as JSON on stdout. Retries are its own.
import { createOpenAI } from '@ai-sdk/openai';
import { streamText } from 'ai';
import { turns } from './node_turns.mjs';

const [base_url, timeout] = process.argv.slice(2);
const openai = createOpenAI({ baseURL: base_url, apiKey: 'none' });

await turns(async () => {
  let text = '', finished = '';
  const result = streamText({
    model: openai('gpt-5'), prompt: 'hi', abortSignal: AbortSignal.timeout(Number(timeout)), onError: () => {},
  });
  for await (const part of result.fullStream) {
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') throw new DOMException('given up', 'TimeoutError');
    if (part.type === 'finish') finished = part.finishReason;
  }
  return { text, terminal: finished === 'stop' };
});
