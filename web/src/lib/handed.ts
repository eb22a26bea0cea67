/** What a new device is given, as far as a page shows it. */
export interface HandedTunnels {
  url: string;
  /** an Apple profile with all tunnels */
  profile: string;
  tunnels: { place: 'outside' | 'inside'; name: string; text: string }[];
}
