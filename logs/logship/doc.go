// Package logship reads the log files of a cluster's control plane in one zone and writes their lines, as events, to
// the log streams that EKS has for them.
//
// Of a file that grows nothing is read twice and nothing left out, also over restarts and when it is set aside: how far
// it was read is written down with the events themselves, in one line (logstore's mark).
package logship
