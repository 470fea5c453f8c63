// Package metricdata keeps what is measured: the data of CloudWatch's metrics, their statistics, and how long they are kept.
//
// Data are one stream of the log store, so they are on the disks of two zones before they are acknowledged, and each zone has a
// copy. A zone that is asked reads its copy, from where it read last, into summaries in memory; a zone that nobody asks reads
// nothing. See DESIGN.md.
package metricdata
