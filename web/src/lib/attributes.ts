/** Reads values out of one DICOM JSON object (PS3.18 F.2); whatever is missing or malformed reads as absent. */

export interface Attribute {
  vr?: string;
  Value?: readonly unknown[];
  InlineBinary?: string;
  BulkDataURI?: string;
}

export type Attributes = Readonly<Record<string, Attribute>>;

/** Every number of the attribute `tag` ("00281050"); DS and IS may come as text. */
export function numbers(attributes: Attributes, tag: string): number[] {
  const found: number[] = [];
  for (const value of attributes[tag]?.Value ?? []) {
    const n = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN;
    if (Number.isFinite(n)) found.push(n);
  }
  return found;
}

export function number(attributes: Attributes, tag: string): number | undefined {
  return numbers(attributes, tag)[0];
}

/** Every text of the attribute; a person's name gives its alphabetic group. */
export function texts(attributes: Attributes, tag: string): string[] {
  const found: string[] = [];
  for (const value of attributes[tag]?.Value ?? []) {
    if (typeof value === 'string') found.push(value);
    else if (typeof value === 'number') found.push(String(value));
    else if (value && typeof value === 'object' && 'Alphabetic' in value && typeof value.Alphabetic === 'string')
      found.push(value.Alphabetic);
    else found.push('');
  }
  return found;
}

export function text(attributes: Attributes, tag: string): string {
  return texts(attributes, tag)[0] ?? '';
}

/** The items of a sequence. */
export function items(attributes: Attributes, tag: string): Attributes[] {
  const found: Attributes[] = [];
  for (const value of attributes[tag]?.Value ?? []) {
    if (value && typeof value === 'object' && !Array.isArray(value)) found.push(value as Attributes);
  }
  return found;
}

/** The bytes of an inline binary value, or undefined when it is absent or not base64. */
export function bytes(attributes: Attributes, tag: string): Uint8Array | undefined {
  const inline = attributes[tag]?.InlineBinary;
  if (typeof inline !== 'string') return undefined;
  try {
    const raw = atob(inline);
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  } catch {
    return undefined;
  }
}

/** 16-bit words of a table that may be written as US values or as OW bytes (little endian). */
export function words(attributes: Attributes, tag: string): Uint16Array | undefined {
  const raw = bytes(attributes, tag);
  if (raw) {
    const out = new Uint16Array(raw.length >> 1);
    for (let i = 0; i < out.length; i++) out[i] = (raw[2 * i] ?? 0) | ((raw[2 * i + 1] ?? 0) << 8);
    return out;
  }
  const values = numbers(attributes, tag);
  return values.length > 0 ? Uint16Array.from(values) : undefined;
}
