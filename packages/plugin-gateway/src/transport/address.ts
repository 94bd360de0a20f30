import { failure, isNodeId } from '@it-chain/contracts';

/** A host and a port. IPv6 hosts are without brackets. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What is dialled: an endpoint and, where pinned, the id that must answer there. */
export interface DialTarget extends Endpoint {
  readonly nodeId: string | undefined;
}

/** Reads `HOST:PORT` or `[IPV6]:PORT`; undefined for anything else. Port 0 is allowed. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:@/[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || host.length > 253 || !(port <= 65_535) ? undefined : { host, port };
}

/**
 * Reads `[NODEID@]HOST:PORT`.
 * @throws ERR_PEER_ADDRESS
 */
export function parseDialTarget(text: string): DialTarget {
  const at = text.lastIndexOf('@');
  const nodeId = at < 0 ? undefined : text.slice(0, at);
  const endpoint = parseEndpoint(text.slice(at + 1));
  if (endpoint === undefined || endpoint.port === 0 || (nodeId !== undefined && !isNodeId(nodeId))) {
    throw failure('ERR_PEER_ADDRESS', `"${text.slice(0, 320)}" is not an address of a peer`, {
      hint: 'Write [NODEID@]HOST:PORT, such as 10.0.0.1:7000.',
    });
  }
  return { ...endpoint, nodeId };
}

/** `host:port`, with brackets around IPv6. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for addresses of this machine that never leave it: 127.0.0.0/8, ::1 and their mapped form. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}

/** True for hosts that mean every address of the machine. */
export function isAnyHost(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host);
}
