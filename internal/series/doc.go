// Package series keeps what metrics have said over the last hour, and answers questions in PromQL about it, by Prometheus'
// own engine.
//
// A Store is in memory alone: it is gone with the process, and has a most of series. Whoever needs a longer past, or more of
// it, runs a Prometheus beside the region.
//
// # What is kept
//
// Each Add is what one target said at one time. As in Prometheus, a target's labels are added to each of its series, the series
// up has whether it answered, and a series that a target no longer tells is stale from then on: it is in no answer, rather than
// the last value for five minutes.
//
// # Costs
//
// Samples are compressed as Prometheus does, by chunkenc's XOR chunks: some 1 to 3 bytes each. Of a chunk of ten minutes all is
// forgotten at once when its last sample is an hour old. Between calls nothing runs.
package series
