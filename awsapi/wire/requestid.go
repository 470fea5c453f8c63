package wire

import (
	"crypto/rand"
	"encoding/hex"
)

// NewRequestID makes a request id as AWS has them: a version 4 UUID, as ids of some resources are too.
func NewRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
