package kms

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// errWrapped says that something was not wrapped with the key.
var errWrapped = errors.New("not wrapped with this key")

// wrapConstant begins the integrity check of AES key wrap with padding.
const wrapConstant = 0xA65959A6

// unwrapPadded is what AES key wrap with padding has wrapped (RFC 5649, section 4.2).
func unwrapPadded(kek, wrapped []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil || len(wrapped) < 16 || len(wrapped)%8 != 0 {
		return nil, errWrapped
	}
	var check [8]byte
	padded := make([]byte, len(wrapped)-8)
	if len(wrapped) == 16 {
		var one [16]byte
		block.Decrypt(one[:], wrapped)
		copy(check[:], one[:8])
		copy(padded, one[8:])
	} else {
		copy(check[:], wrapped)
		copy(padded, wrapped[8:])
		unwrap(block.Decrypt, &check, padded)
	}
	size := int(binary.BigEndian.Uint32(check[4:]))
	if binary.BigEndian.Uint32(check[:]) != wrapConstant || size <= len(padded)-8 || size > len(padded) {
		return nil, errWrapped
	}
	if subtle.ConstantTimeCompare(padded[size:], make([]byte, len(padded)-size)) != 1 {
		return nil, errWrapped
	}
	return padded[:size], nil
}

// unwrap is the unwrapping process W^-1 (RFC 3394, section 2.2.2, by index).
func unwrap(decrypt func(dst, src []byte), check *[8]byte, blocks []byte) {
	n := len(blocks) / 8
	var buffer [16]byte
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			at := blocks[8*(i-1) : 8*i]
			binary.BigEndian.PutUint64(buffer[:8], binary.BigEndian.Uint64(check[:])^uint64(n*j+i))
			copy(buffer[8:], at)
			decrypt(buffer[:], buffer[:])
			copy(check[:], buffer[:8])
			copy(at, buffer[8:])
		}
	}
}
