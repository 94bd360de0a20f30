import { testPlugin } from '@it-chain/testkit';
import plugin from '../src/index.js';

describe('my-plugin', () => {
  testPlugin(plugin);
});
