// Package logstore keeps log events: append-only files on each zone's disk, of which every zone has a copy.
//
// What a zone writes to a stream is a journal, and only that zone appends to it, so a place in it is a number of bytes
// and copies need no vote. See DESIGN.md.
package logstore
