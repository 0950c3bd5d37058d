import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

/**
 * Module hooks that let plain Node import this project's TypeScript: for what runs outside of Jest's own module
 * system (its global setup, processes that tests start). Jest would load a TypeScript global setup as CommonJS,
 * where imports of `./x.js` find no `./x.ts`.
 */
export async function resolve(specifier, context, nextResolve) {
  const fromTypeScript = context.parentURL?.endsWith('.ts') ?? false;
  const isRelative = specifier.startsWith('.') && specifier.endsWith('.js');
  return nextResolve(fromTypeScript && isRelative ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const filename = fileURLToPath(url);
  const { code } = await transform(await readFile(filename, 'utf8'), { filename });
  return { format: 'module', source: code, shortCircuit: true };
}
