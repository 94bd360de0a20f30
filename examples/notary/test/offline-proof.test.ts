import { expect } from 'chai';
import fc from 'fast-check';
import { genesisValidators, Genesis, toHex } from '@it-chain/contracts';
import { NotaryProof, verifyNotaryProof } from '@it-chain/example-notary';
import { Notary, hashOf, keysOf, register, sender, type Signed } from './fixture.js';

const verify = ({ proof, document, network }: Signed): string => {
  try {
    return verifyNotaryProof(NotaryProof.encode(proof), document, { network }).label;
  } catch (error) {
    return `${(error as { code?: string }).code ?? 'no code'}: ${(error as Error).message}`;
  }
};

describe('the offline proof of a document', () => {
  let notary: Notary;
  let signed: Signed;
  beforeEach(async () => {
    notary = new Notary();
    await notary.commit([register('deed', 'mine'), register('other')]);
    signed = await notary.prove('deed');
  });

  it('holds with the network alone, where the validators are those of the genesis', () => {
    const record = verifyNotaryProof(NotaryProof.encode(signed.proof), signed.document, { network: signed.network });
    expect(record).to.deep.include({ height: 1, label: 'mine' });
    expect(toHex(record.owner)).to.equal(toHex(sender));
  });

  it('does not hold for another document, network, record, state or too few signatures', async () => {
    const { proof } = signed;
    expect(verify({ ...signed, document: hashOf('other') })).to.include('not that of this document');
    expect(verify({ ...signed, network: hashOf('another') })).to.include('it is of the network');
    const other = (await notary.prove('other')).proof;
    expect(verify({ ...signed, proof: { ...proof, record: other.record } })).to.include('not that of this document');
    expect(verify({ ...signed, proof: { ...proof, systemRoot: hashOf('x') } })).to.include(
      'the one that the header names',
    );
    expect(verify(await notary.prove('deed', ['a', 'b']))).to.include('2 seals where 3 of 4 are due');
    expect(verify(await notary.prove('deed', ['a', 'a', 'b']))).to.include('two seals');
    const [first, ...rest] = proof.certificate.seals;
    const forged = [{ validator: 0, signature: new Uint8Array(64).fill(1) }, ...rest];
    expect(first).to.not.equal(undefined);
    expect(verify({ ...signed, proof: { ...proof, certificate: { ...proof.certificate, seals: forged } } })).to.include(
      'a signature of the certificate is not valid',
    );
  });

  it('asks for the validators where they are no longer those of the genesis, and takes no others', () => {
    const { proof, network, document } = signed;
    const stranger = { validators: [{ publicKey: keysOf('x').publicKey, sequence: 0 }] };
    expect(() => verifyNotaryProof(NotaryProof.encode(proof), document, { network, validators: stranger })).to.throw(
      'name the validators of its height',
    );
    const named = genesisValidators(Genesis.decode(proof.genesis));
    expect(verifyNotaryProof(NotaryProof.encode(proof), document, { network, validators: named }).label).to.equal(
      'mine',
    );
  });

  it('never fails but by its own code, whatever bytes it is given, and one changed byte never makes it another record', () => {
    const encoded = NotaryProof.encode(signed.proof);
    const { document, network } = signed;
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
        const bytes = Uint8Array.from(cut ? encoded.subarray(0, at) : encoded);
        if (!cut) bytes[at] = (bytes[at] ?? 0) ^ change;
        try {
          expect(verifyNotaryProof(bytes, document, { network }).label).to.equal('mine');
        } catch (error) {
          expect((error as { code?: string }).code).to.equal('ERR_NOTARY_PROOF_INVALID');
        }
      }),
      { numRuns: 300 },
    );
  });
});
