import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { NodeService, printProto, printService, type AnyMethod } from '@it-chain/contracts';

/** The `.proto` text of the client API: for clients in other languages. */
export function clientApiProto(): string {
  const methods = Object.values<AnyMethod>(NodeService.methods);
  return printProto(
    NodeService.packageName,
    methods.flatMap((method) => [method.in, method.out]),
    printService(NodeService),
  );
}

/** Describes the client API for the reflection service. The loader reads files only, so the text is kept in `dir`. */
export async function describeClientApi(dir: string): Promise<PackageDefinition> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, 'itchain.v1.proto');
  await writeFile(path, clientApiProto());
  return loadSync(path, { keepCase: true });
}
