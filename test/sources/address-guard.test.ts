/** Which addresses may be asked: the whole point is what is refused however it is written. */
import { describe, expect, it } from 'vitest';
import { createAddressGuard, isNetwork } from '../../src/sources/address-guard.ts';
import { originOf } from '../../src/sources/origins.ts';

const open = createAddressGuard([]);
const inside = createAddressGuard(['10.0.0.0/8', '127.0.0.0/8', 'fd00::/8', '::1/128', '64:ff9b::/96']);
const everything = createAddressGuard(['0.0.0.0/0', '::/0']);

describe('without named networks', () => {
  it.each(['8.8.8.8', '93.184.216.34', '172.15.255.255', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001::200e', '::ffff:8.8.8.8'])(
    'the public address %s may be asked',
    (address) => expect(open.allows(address)).toBe(true),
  );

  it.each([
    ...['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '127.0.0.1', '127.255.255.254', '100.64.0.1', '198.18.0.1'],
    ...['192.0.2.1', '203.0.113.7', '240.0.0.1', '::1', 'fd00::1', 'fec0::1', '2001:db8::1', '5f00::1', '100::1', '3fff::1'],
    // The same, as IPv4 hides in IPv6: mapped, compatible, NAT64, translated, 6to4, Teredo.
    ...['::ffff:10.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:127.0.0.1', '::10.0.0.1', '64:ff9b::10.0.0.1', '64:ff9b::808:808'],
    ...['64:ff9b:1::a00:1', '::ffff:0:10.0.0.1', '2002:a00:1::', '2002:808:808::1', '2001:0:a00:1::', '2001::1'],
  ])('%s may not', (address) => expect(open.allows(address)).toBe(false));
});

describe('with named networks', () => {
  it.each([
    '10.1.2.3',
    '127.0.0.1',
    '::ffff:10.1.2.3',
    '::ffff:127.0.0.1',
    'fd12::1',
    '::1',
    '8.8.8.8',
    '64:ff9b::8.8.8.8',
    '64:ff9b::10.0.0.1',
  ])('%s may be asked', (address) => expect(inside.allows(address)).toBe(true));

  it.each(['192.168.1.1', '172.16.0.1', '::ffff:192.168.1.1', '64:ff9b::192.168.1.1', 'fc00::1', '2002:a00:1::'])(
    '%s, which is in none, may not',
    (address) => expect(inside.allows(address)).toBe(false),
  );
});

describe('whatever is named', () => {
  it.each([
    ...['169.254.169.254', '169.254.0.1', '0.0.0.0', '0.1.2.3', '224.0.0.1', '239.255.255.255', '255.255.255.255', '100.100.100.200'],
    ...['::', 'fe80::1', 'febf::1', 'ff02::1', 'fd00:ec2::254', '::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::169.254.169.254'],
    ...[
      '64:ff9b::169.254.169.254',
      '64:ff9b:1::a9fe:a9fe',
      '64:ff9b:1:a9fe:a9:fe00::',
      '64:ff9b:1::808:808',
      '::ffff:0:a9fe:a9fe',
      '2002:a9fe:a9fe::',
      '2001:0:a9fe:a9fe::',
    ],
    // Teredo's client, inverted: 169.254.169.254 is 5601:5601.
    '2001:0:808:808:0:0:5601:5601',
  ])('%s is never asked', (address) => expect(everything.allows(address)).toBe(false));

  it.each(['', 'localhost', '127.1', '2130706433', '0177.0.0.1', 'fe80::1%eth0', '::1%lo', '1.2.3.4.5', '10.0.0.0/8'])(
    '`%s`, which is no address, is never asked',
    (address) => expect(everything.allows(address)).toBe(false),
  );
});

describe('what an operator writes', () => {
  it.each(['10.0.0.0/8', '127.0.0.1', '::1', 'fd00::/8', '0.0.0.0/0'])('%s is a network', (text) => expect(isNetwork(text)).toBe(true));
  it.each(['', '10.0.0.0/33', '10.0.0/8', '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0.0/', 'fd00::/129', 'fe80::1%eth0', 'all'])(
    '`%s` is none',
    (text) => expect(isNetwork(text)).toBe(false),
  );

  it.each([
    ['https://cdp.example', 'https://cdp.example'],
    ['https://CDP.example:443/', 'https://cdp.example'],
    [' http://aud.internal:8080', 'http://aud.internal:8080'],
    ['http://2130706433', 'http://127.0.0.1'],
    ['http://0177.1:80', 'http://127.0.0.1'],
  ])('`%s` is the origin %s', (text, origin) => expect(originOf(text)).toBe(origin));

  it.each([
    'cdp.example',
    'ftp://cdp.example',
    'https://',
    'https://u:p@cdp.example',
    'https://cdp.example/v1',
    'https://cdp.example?a',
    'https://cdp.example/?',
    '*',
  ])('`%s` is none', (text) => expect(originOf(text)).toBe(null));
});
