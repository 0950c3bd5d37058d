import { register } from 'node:module';

// For `node --import`: TypeScript of this project can be imported from here on.
register('./ts-loader.js', import.meta.url);
