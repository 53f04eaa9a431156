/** The two classes at a fiber's entry, the first one sent first. */

/** 0: guest and client traffic, sent first. 1: vMotion. */
export type TrafficClass = 0 | 1;
export const TRAFFIC_CLASSES = [0, 1] as const;
