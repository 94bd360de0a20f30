import { keyPairFromSeed } from '@it-chain/contracts';
import { encodeMessage } from '@it-chain/plugin-consensus';
import type { Behaviour, EvilHands } from './behaviours.js';
import { captureSession, replaySession } from './captured-session.js';
import { addresses } from './strangers.js';

const MAX_KEPT = 500;
/** Replays of a session to one node: with the fifth breach an address is banned, and the liar's own session with it. */
const MAX_SESSIONS = 3;
/** Ticks between two of them. */
const SESSION_TICKS = 10;

/** B4: says again, at random, what it or others said earlier; and opens connections with the bytes of an earlier session. */
export function replays(hands: EvilHands): Behaviour {
  const { did, send, sessions, random } = hands;
  const kept: Uint8Array[] = [];
  const keep = (body: Uint8Array): void => {
    if (kept.length < MAX_KEPT) kept.push(body);
    else kept[Math.floor(((random(1)[0] ?? 0) / 256) * MAX_KEPT)] = body;
  };
  const openAgain = sessionReplays(hands);
  return {
    hear: (body) => keep(Uint8Array.from(body)),
    speak(content, { network, peers }) {
      keep(encodeMessage(content, network, 0));
      return [{ to: peers, content }];
    },
    async tick() {
      openAgain();
      const peers = (await sessions()).map(({ nodeId }) => nodeId);
      for (let count = 0; count < 5 && kept.length > 0; count += 1) {
        const at = Buffer.from(random(2)).readUInt16BE(0) % kept.length;
        const old = kept[at];
        if (old === undefined) continue;
        did();
        await send(peers, old);
      }
    },
  };
}

/** Captures a session of a stranger to each peer, and says it again on other connections. */
function sessionReplays(hands: EvilHands): () => void {
  const captured = new Map<string, Buffer>();
  let ticks = 0;
  let replayed = 0;
  return () => {
    ticks += 1;
    if (ticks % SESSION_TICKS !== 0 || replayed >= MAX_SESSIONS) return;
    if (captured.size > 0) replayed += 1;
    void addresses(hands).then((places) =>
      places.forEach((place) => {
        const name = `${place.host}:${place.port}`;
        const bytes = captured.get(name);
        if (bytes === undefined) {
          void captureSession(place, keyPairFromSeed(hands.random(32)), hands.random).then((said) =>
            captured.set(name, said),
          );
        } else if (bytes.length > 0) {
          hands.did();
          replaySession(place, bytes);
        }
      }),
    );
  };
}
