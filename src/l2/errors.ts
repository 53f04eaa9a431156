/** The codes of this folder's errors. Bad bytes never throw: they are counted drops. */
export type L2ErrorCode =
  | 'L2_MAC_SYNTAX'
  | 'L2_IPV4_SYNTAX'
  | 'L2_MAC_TABLE_RANGE'
  | 'L2_PORT_RANGE'
  | 'L2_BRIDGE_OPTIONS'
  | 'L2_PORT_OPTIONS'
  | 'L2_STATION_RANGE'
  | 'L2_ANNOUNCE_RANGE'
  | 'L2_VXLAN_RANGE'
  | 'L2_CUT_RANGE';
