import { BlockList, isIPv4, isIPv6 } from "node:net";

/**
 * What is not the public network, of the registries of special-purpose addresses (RFC 6890, IANA's tables of November 2026), and the
 * one public address behind which a cloud answers its own machines.
 */
const closedV4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // shared by carriers
  "127.0.0.0/8", // loopback
  "168.63.129.16/32", // Azure's host, as its machines see it
  "169.254.0.0/16", // link-local; metadata of clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // protocol assignments
  "192.0.2.0/24", // documentation
  "192.31.196.0/24", // AS112
  "192.52.193.0/24", // AMT
  "192.88.99.0/24", // 6to4 relays
  "192.168.0.0/16", // private
  "192.175.48.0/24", // AS112
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, broadcast
];
/** Of IPv6 only what is given out is open: so loopback, mapped and translated addresses, ULA, link-local and multicast are not. */
const openV6 = ["2000::/3"];
const closedV6 = [
  "2001::/23", // protocol assignments: Teredo, benchmarks, ORCHID
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4, which holds an IPv4 address
  "2620:4f:8000::/48", // AS112
  "3fff::/20", // documentation
];

/** Where previews may be fetched from. */
export type Allowed = {
  /** Whether an address is one of the public network, or of the networks that are allowed beside it. */
  address(address: string): boolean;
  /** Whether it is of those: there any port may be asked. */
  anyPort(address: string): boolean;
};

/** `networks` are allowed though they are not public: CIDR, with commas. Throws for what is no network. */
export function allowing(networks: string): Allowed {
  const own = listOf(networks.split(",").flatMap((network) => network.trim() || []));
  const anyPort = (address: string): boolean => isIn(own, address);
  return { anyPort, address: (address) => anyPort(address) || isPublic(address) };
}

const closed = listOf([...closedV4, ...closedV6]);
const open = listOf(openV6);

function isPublic(address: string): boolean {
  if (isIn(closed, address)) return false;
  return isIPv4(address) || isIn(open, address);
}

const isIn = (list: BlockList, address: string): boolean =>
  (isIPv4(address) && list.check(address, "ipv4")) || (isIPv6(address) && list.check(address, "ipv6"));

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits = ""] = network.split("/");
    if (!/^\d{1,3}$/.test(bits)) throw new Error(`${network} is no network: address/bits`);
    list.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  }
  return list;
}
