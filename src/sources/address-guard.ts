/**
 * Which addresses a policy may make the service talk to: public ones, and those in networks that the operator names. What serves
 * machines their own credentials is refused whatever anybody names.
 */
import { BlockList, isIP, isIPv4 } from 'node:net';

export interface AddressGuard {
  /** Of an address as the system writes it; anything else is refused. */
  allows(address: string): boolean;
}

/** Link-local, unspecified, multicast, broadcast, and the addresses from which clouds hand out a machine's credentials. */
const neverAllowed = blockList([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  '::/128',
  // A network's own NAT64: where in it an IPv4 address is carried, only that network knows (RFC 8215, RFC 6052).
  '64:ff9b:1::/48',
  'fe80::/10',
  'ff00::/8',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
]);

/** IANA's special-purpose addresses: everything else of IPv4 is public. */
const notPublicIpv4 = blockList([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);

/** Of IPv6 only 2000::/3 is given out, and of that these are not: protocols' own (Teredo too), documentation, 6to4. */
const publicIpv6 = blockList(['2000::/3']);
const notPublicIpv6 = blockList(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** `networks` are CIDR texts that `isNetwork` holds of. */
export function createAddressGuard(networks: readonly string[]): AddressGuard {
  const named = blockList(networks);

  function allowsIpv4(address: string): boolean {
    return !neverAllowed.check(address, 'ipv4') && (!notPublicIpv4.check(address, 'ipv4') || named.check(address, 'ipv4'));
  }

  function allowsIpv6(address: string): boolean {
    const groups = groupsOf(address);
    if (startsWith(groups, [0, 0, 0, 0, 0, 0xffff])) return allowsIpv4(ipv4Of(groups, 6));
    if (neverAllowed.check(address, 'ipv6') || !embeddedIn(groups).every(allowsIpv4)) return false;
    return (publicIpv6.check(address, 'ipv6') && !notPublicIpv6.check(address, 'ipv6')) || named.check(address, 'ipv6');
  }

  return {
    allows(address) {
      // A zone names an interface of ours: nobody outside has one.
      if (address.includes('%')) return false;
      const family = isIP(address);
      return family === 4 ? allowsIpv4(address) : family === 6 && allowsIpv6(address);
    },
  };
}

/** Whether a text is CIDR, such as `10.0.0.0/8`, or one address. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes('%')) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    list.addSubnet(address, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family);
  }
  return list;
}

/** The IPv4 addresses that a translator or a tunnel would carry a packet on to. */
function embeddedIn(groups: readonly number[]): readonly string[] {
  const isLoopback = startsWith(groups, [0, 0, 0, 0, 0, 0, 0, 1]);
  // IPv4-compatible, NAT64's well-known prefix, IPv4-translated.
  if (startsWith(groups, [0, 0, 0, 0, 0, 0]) && !isLoopback) return [ipv4Of(groups, 6)];
  if (startsWith(groups, [0x64, 0xff9b, 0, 0, 0, 0]) || startsWith(groups, [0, 0, 0, 0, 0xffff, 0])) return [ipv4Of(groups, 6)];
  if (startsWith(groups, [0x2002])) return [ipv4Of(groups, 1)];
  // Teredo hides its client's address by inverting it.
  if (startsWith(groups, [0x2001, 0]))
    return [
      ipv4Of(groups, 2),
      ipv4Of(
        groups.map((group) => group ^ 0xffff),
        6,
      ),
    ];
  return [];
}

function startsWith(groups: readonly number[], head: readonly number[]): boolean {
  return head.every((group, index) => groups[index] === group);
}

function ipv4Of(groups: readonly number[], at: number): string {
  const [high = 0, low = 0] = groups.slice(at, at + 2);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight groups of an IPv6 address. INVARIANT: `isIP` has said that it is one. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const left = groupsIn(head);
  if (tail === undefined) return left;
  const right = groupsIn(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groupsIn(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
