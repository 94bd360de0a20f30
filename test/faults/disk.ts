import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyImage, makeImage, mountImage, type Mounted } from '../support/machine.js';

/** Room for a run of the second tier, and for the limit below which a node stops; the image holds only what is used. */
const IMAGE_MIB = 2_048;

/** A disk of a node's own: an image on a loop device, so that what has reached the device can be told from what has not. */
export class Disk {
  /** Where it is mounted. */
  readonly path: string;
  readonly #base: string;
  #image: string;
  #mounted: Mounted;
  #cuts = 0;

  /** Makes the image and mounts it as `folder`/`name`. @throws where the machine does not let it */
  constructor(folder: string, name: string) {
    this.path = join(folder, name);
    this.#base = `${this.path}.img`;
    this.#image = this.#base;
    makeImage(this.#image, IMAGE_MIB);
    this.#mounted = mountImage(this.#image, this.path);
  }

  /** Takes what is on the device at this moment; it is what {@link restore} brings back. The node must have been stopped. */
  cut(): void {
    copyImage(this.#image, this.#next());
  }

  /** Puts what was taken in the place of the disk. The node must be gone. */
  restore(): void {
    this.#mounted.unmount();
    rmSync(this.#image);
    this.#image = this.#next();
    this.#cuts += 1;
    this.#mounted = mountImage(this.#image, this.path);
  }

  remove(): void {
    this.#mounted.unmount();
    rmSync(this.#image, { force: true });
  }

  #next(): string {
    return `${this.#base}.${this.#cuts + 1}`;
  }
}
