package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A ciphertext says by itself which key and which of its materials it is from: format, the key's UUID, the material's
// number, nonce, and what AES-256-GCM made. What comes before the nonce and the encryption context are authenticated
// with it.
const (
	format      = 1
	formatMulti = 2 // of a multi-Region key
	uuidSize    = 16
	headerSize  = 1 + uuidSize + 4
	nonceSize   = 12
)

// errCiphertext says that something is no ciphertext of the key, or not in this encryption context.
var errCiphertext = errors.New("the ciphertext is not the key's, was changed, or was made in another " +
	"encryption context")

// current is the material that the key encrypts with.
func (k Key) current() Material { return k.Materials[len(k.Materials)-1] }

// seal encrypts with the key's newest material.
func (k Key) seal(plaintext []byte, context map[string]string) ([]byte, error) {
	id, err := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(k.ID, multiRegionPrefix), "-", ""))
	if err != nil || len(id) != uuidSize {
		return nil, fmt.Errorf("key %s: its id is no UUID", k.ID)
	}
	head := append([]byte{format}, id...)
	if k.multiRegion() {
		head[0] = formatMulti
	}
	head = binary.BigEndian.AppendUint32(head, uint32(len(k.Materials)-1))
	aead, err := gcm(k.current())
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce) // never fails
	return aead.Seal(append(slices.Clone(head), nonce...), nonce, plaintext, authenticated(head, context)), nil
}

// open decrypts what seal made, and tells which material it took.
func (k Key) open(ciphertext []byte, context map[string]string) ([]byte, Material, error) {
	id, material, ok := sealedBy(ciphertext)
	if !ok || id != k.ID || material >= len(k.Materials) {
		return nil, Material{}, errCiphertext
	}
	aead, err := gcm(k.Materials[material])
	if err != nil {
		return nil, Material{}, err
	}
	head, rest := ciphertext[:headerSize], ciphertext[headerSize:]
	plaintext, err := aead.Open(nil, rest[:nonceSize], rest[nonceSize:], authenticated(head, context))
	if err != nil {
		return nil, Material{}, errCiphertext
	}
	return plaintext, k.Materials[material], nil
}

// sealedBy reads which key a ciphertext claims to be from.
func sealedBy(ciphertext []byte) (keyID string, material int, ok bool) {
	if len(ciphertext) < headerSize+nonceSize || ciphertext[0] != format && ciphertext[0] != formatMulti {
		return "", 0, false
	}
	id := hex.EncodeToString(ciphertext[1 : 1+uuidSize])
	if ciphertext[0] == formatMulti {
		return multiRegionPrefix + id, int(binary.BigEndian.Uint32(ciphertext[1+uuidSize:])), true
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:],
		int(binary.BigEndian.Uint32(ciphertext[1+uuidSize:])), true
}

func gcm(material Material) (cipher.AEAD, error) {
	block, err := aes.NewCipher(material.Bytes)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// authenticated is what a ciphertext is bound to. Lengths stand before texts, so that no two contexts look the same.
func authenticated(head []byte, context map[string]string) []byte {
	bound := slices.Clone(head)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, text := range []string{name, context[name]} {
			bound = binary.BigEndian.AppendUint32(bound, uint32(len(text)))
			bound = append(bound, text...)
		}
	}
	return bound
}
