package lb

import "encoding/binary"

// helloSize is how many of a client's first bytes are kept to be sent to another target. It is also as much as a TLS
// record may hold; a ClientHello is usually below 2 KiB.
const helloSize = 16 << 10

// opening says what a client's first bytes are.
type opening int

const (
	// openingEmpty is a client that has not said anything yet: any target will do, nothing can happen twice.
	openingEmpty opening = iota
	// openingPartial is the beginning of a TLS ClientHello: it may be sent again, but it is no wonder that nobody answers.
	openingPartial
	// openingHello is a whole ClientHello: it may be sent again, and a server answers it at once.
	openingHello
	// openingFinal must reach one target only: it may ask for something to be done. It is everything that is not TLS, and
	// TLS early data.
	openingFinal
)

const (
	recordHeader    = 5 // type, version (2), length (2)
	recordCCS       = 20
	recordHandshake = 22 // 0x16, which begins no HTTP request
	handshakeHeader = 4  // type, length (3)
	typeClientHello = 1
)

// classifyOpening walks over TLS records; a handshake message may span several.
func classifyOpening(b []byte) opening {
	if len(b) == 0 {
		return openingEmpty
	}
	if b[0] != recordHandshake {
		return openingFinal
	}
	var header [handshakeHeader]byte
	seen := 0 // bytes of handshake records
	for len(b) > 0 {
		switch b[0] {
		case recordHandshake, recordCCS:
		default:
			return openingFinal
		}
		if len(b) < recordHeader {
			break
		}
		end := min(recordHeader+int(binary.BigEndian.Uint16(b[3:5])), len(b))
		if b[0] == recordHandshake {
			payload := b[recordHeader:end]
			if seen < handshakeHeader {
				copy(header[seen:], payload)
			}
			seen += len(payload)
		}
		b = b[end:]
	}
	if seen == 0 {
		return openingPartial
	}
	if header[0] != typeClientHello {
		return openingFinal
	}
	if seen < handshakeHeader {
		return openingPartial
	}
	if length := int(header[1])<<16 | int(header[2])<<8 | int(header[3]); seen < handshakeHeader+length {
		return openingPartial
	}
	return openingHello
}
