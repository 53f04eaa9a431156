/** Captures: pcapng and classic pcap as bytes, filters over packets. Pure: files are read and written by files/. */
export * from './captured-packet.js';
