package iam

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

const (
	// packed begins what is compressed; JSON begins with a brace. Tokens of older Tripods are never compressed.
	packed = 1
	// worthPacking is the length in bytes from which a session has policies or tags that compression makes much shorter;
	// without them it would only cost time. mostUnpacked is far beyond what fits into a token.
	worthPacking = 400
	mostUnpacked = 64 << 10
)

// pack compresses a session's text where that makes it shorter.
func pack(text []byte) []byte {
	if len(text) < worthPacking {
		return text
	}
	short := bytes.NewBuffer([]byte{packed})
	w, _ := flate.NewWriter(short, flate.BestCompression) // fails for unknown levels only
	w.Write(text)                                         // a buffer takes all
	w.Close()
	if short.Len() >= len(text) {
		return text
	}
	return short.Bytes()
}

// unpack is what pack was given.
func unpack(text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != packed {
		return text, nil
	}
	long, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(text[1:])), mostUnpacked))
	if err != nil {
		return nil, fmt.Errorf("unpack session: %w", err)
	}
	return long, nil
}
