package ec2

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // PuTTY's format and EC2's fingerprints have it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

// madeKey is a key pair that EC2 makes, with its private key.
type madeKey struct {
	kind    string // as SSH names it: ssh-rsa or ssh-ed25519
	private crypto.Signer
}

// makeKey makes a key pair of one of EC2's types.
func makeKey(keyType string) (madeKey, error) {
	if keyType == "ed25519" {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return madeKey{"ssh-ed25519", private}, err
	}
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	return madeKey{"ssh-rsa", private}, err
}

// public is the public key as SSH sends it.
func (k madeKey) public() []byte {
	if own, ok := k.private.(*rsa.PrivateKey); ok {
		return rsaWire(&own.PublicKey)
	}
	return sshStrings([]byte(k.kind), k.private.Public().(ed25519.PublicKey))
}

// fingerprint is how EC2 tells keys that it made ("Verify the fingerprint of your key pair").
func (k madeKey) fingerprint() (string, error) {
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		sum := sha256.Sum256(k.public())
		return base64.StdEncoding.EncodeToString(sum[:]), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	sum := sha1.Sum(der)
	return colons(sum[:]), err
}

// pem is the private key as OpenSSH reads it: an RSA key in PKCS #1, another in OpenSSH's own format.
func (k madeKey) pem() string {
	if own, ok := k.private.(*rsa.PrivateKey); ok {
		return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(own)}))
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: k.openSSH()}))
}

// openSSH is an Ed25519 key in the format that PROTOCOL.key of OpenSSH describes, without a passphrase.
func (k madeKey) openSSH() []byte {
	private := k.private.(ed25519.PrivateKey)
	var check [4]byte
	rand.Read(check[:]) // never fails
	secret := append(append([]byte(nil), check[:]...), check[:]...)
	secret = append(secret, sshStrings([]byte(k.kind), private.Public().(ed25519.PublicKey), private, nil)...)
	for pad := byte(1); len(secret)%8 != 0; pad++ {
		secret = append(secret, pad)
	}
	text := append([]byte("openssh-key-v1\x00"), sshStrings([]byte("none"), []byte("none"), nil)...)
	text = binary.BigEndian.AppendUint32(text, 1)
	return append(text, sshStrings(k.public(), secret)...)
}

// ppk is the private key as PuTTY reads it, in version 2 of its format, which all of its releases know.
func (k madeKey) ppk(comment string) string {
	secret := k.puttySecret()
	lines := func(name string, blob []byte) string {
		text := base64.StdEncoding.EncodeToString(blob)
		out := fmt.Sprintf("%s-Lines: %d\n", name, (len(text)+63)/64)
		for len(text) > 64 {
			out, text = out+text[:64]+"\n", text[64:]
		}
		return out + text + "\n"
	}
	macKey := sha1.Sum([]byte("putty-private-key-file-mac-key"))
	mac := hmac.New(sha1.New, macKey[:])
	mac.Write(sshStrings([]byte(k.kind), []byte("none"), []byte(comment), k.public(), secret))
	return fmt.Sprintf("PuTTY-User-Key-File-2: %s\nEncryption: none\nComment: %s\n", k.kind, comment) +
		lines("Public", k.public()) + lines("Private", secret) + "Private-MAC: " + hex.EncodeToString(mac.Sum(nil)) + "\n"
}

// puttySecret is the private part of a key in PuTTY's format.
func (k madeKey) puttySecret() []byte {
	own, ok := k.private.(*rsa.PrivateKey)
	if !ok {
		return sshStrings(k.private.(ed25519.PrivateKey).Seed())
	}
	p, q := own.Primes[0], own.Primes[1]
	return sshStrings(positive(own.D), positive(p), positive(q), positive(new(big.Int).ModInverse(q, p)))
}

// sshStrings are texts, each with its length before it (RFC 4251, section 5).
func sshStrings(texts ...[]byte) []byte {
	var all bytes.Buffer
	for _, text := range texts {
		all.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		all.Write(text)
	}
	return all.Bytes()
}

// oneLine is a name that stands on a line of its own in a file.
func oneLine(name string) string { return strings.Map(func(r rune) rune { return max(r, ' ') }, name) }
