import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import type * as ProtoLoader from '@grpc/proto-loader';
import type * as Reflection from '@grpc/reflection';
import { NodeService, printProto, printService, type AnyMethod } from '@it-chain/contracts';
import type { CallShape, ServiceTarget } from './lazy-service.js';

/** The methods of the reflection service: its present version, and the one that older clients ask. */
export const REFLECTION_METHODS: Readonly<Record<string, CallShape>> = {
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'bidi',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'bidi',
};

/** The `.proto` text of the client API: for clients in other languages. */
export function clientApiProto(): string {
  const methods = Object.values<AnyMethod>(NodeService.methods);
  return printProto(
    NodeService.packageName,
    methods.flatMap((method) => [method.in, method.out]),
    printService(NodeService),
  );
}

/** Writes the client API where the reflection service reads it: the loader takes files only. @returns the file */
export async function writeClientApi(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, 'itchain.v1.proto');
  await writeFile(path, clientApiProto());
  return path;
}

/** Adds the reflection service, which describes the API in a file; loads what that takes. */
export function addReflection(target: ServiceTarget, path: string): void {
  const require = createRequire(import.meta.url);
  const { loadSync } = require('@grpc/proto-loader') as typeof ProtoLoader;
  const { ReflectionService } = require('@grpc/reflection') as typeof Reflection;
  new ReflectionService(loadSync(path, { keepCase: true })).addToServer(target);
}
