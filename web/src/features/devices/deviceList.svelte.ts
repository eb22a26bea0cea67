/** The devices and the equipment that this reader may see, brought up to date when the box says so. */
import { ApiError, type ErrorCode } from '../../api/http';
import { listDevices, listEquipment } from '../../api/devices';
import type { Device, Equipment } from '../../api/types';

export class DeviceList {
  devices = $state.raw<Device[]>([]);
  equipment = $state.raw<Equipment[]>([]);
  /** everybody's devices, not only one's own */
  all = $state(false);
  /** whether tunnel and firewall are as the box asked for */
  tunnel = $state<'well' | 'differs' | 'silent'>('well');
  ready = $state(false);
  failed = $state<'' | ErrorCode>('');
  #asked = false;
  #number = 0;

  /** Nothing is asked for before the page was opened once. */
  async open(): Promise<void> {
    this.#asked = true;
    await this.load();
  }

  async load(): Promise<void> {
    if (!this.#asked) return;
    const number = ++this.#number;
    try {
      const found = await listDevices();
      // Where the tunnel does not answer, the devices are still worth showing.
      const equipment = found.all ? await listEquipment().catch(() => []) : [];
      if (number !== this.#number) return;
      this.devices = found.devices;
      this.all = found.all;
      this.tunnel = found.tunnel;
      this.equipment = equipment;
      this.ready = true;
      this.failed = '';
    } catch (error) {
      if (number === this.#number) this.failed = error instanceof ApiError ? error.code : 'damaged';
    }
  }
}
