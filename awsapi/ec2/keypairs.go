package ec2

import (
	"cmp"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// keyPair is an SSH key pair as stored and as EC2 shows it, without its private key. It is recorded only: nothing here
// lets anybody in by SSH.
type keyPair struct {
	KeyPairID   string    `xml:"keyPairId"`
	Fingerprint string    `xml:"keyFingerprint"`
	Name        string    `xml:"keyName"`
	Type        string    `xml:"keyType"`
	Tags        list[tag] `xml:"tagSet" json:"-"`
	PublicKey   string    `xml:"publicKey,omitempty"`
	Created     string    `xml:"createTime"`
}

var keyPairs = &kind[keyPair]{
	table: state.NewTable[entry[keyPair]]("ec2-key-pair"), prefix: "key", noun: "key pair", code: "InvalidKeyPair",
	id: func(v keyPair) string { return v.KeyPairID },
}

// keyBits is the size of RSA keys that EC2 makes.
const keyBits = 2048

func noKeyPair(name string) error {
	return refuse("InvalidKeyPair.NotFound", "The key pair '%s' does not exist", clip(name))
}

// CheckKeyPair says whether there is a key pair of that name, in EC2's words.
func (s *Service) CheckKeyPair(tx *state.Txn, name string) error {
	if slices.ContainsFunc(keyPairs.all(s, tx), func(k keyPair) bool { return k.Name == name }) {
		return nil
	}
	return noKeyPair(name)
}

type describeKeyPairsInput struct {
	Names            []string `ec2:"KeyName"`
	IDs              []string `ec2:"KeyPairId"`
	Filters          []filter `ec2:"Filter"`
	IncludePublicKey bool     `ec2:"IncludePublicKey"`
}

type describeKeyPairsOutput struct {
	KeyPairs list[keyPair] `xml:"keySet"`
}

func (s *Service) describeKeyPairs(call *operation.Call, in *describeKeyPairsInput) (*describeKeyPairsOutput, error) {
	if len(in.Names) > 0 {
		in.Filters = append(in.Filters, filter{"key-name", in.Names})
	}
	found, _, err := describe(s, call, keyPairs, in.IDs, page{Filters: in.Filters}, func(tx *state.Txn, v *keyPair) {
		v.Tags = s.tagsOf(tx, v.KeyPairID)
		if !in.IncludePublicKey {
			v.PublicKey = ""
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range in.Names {
		if !slices.ContainsFunc(found, func(k keyPair) bool { return k.Name == name }) {
			return nil, noKeyPair(name)
		}
	}
	return &describeKeyPairsOutput{found}, nil
}

type createKeyPairInput struct {
	Name           string             `ec2:"KeyName,required"`
	Type           string             `ec2:"KeyType"`
	Format         string             `ec2:"KeyFormat"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// createKeyPairOutput is the only place where the private key is shown: it is not kept.
type createKeyPairOutput struct {
	KeyPairID   string    `xml:"keyPairId"`
	Fingerprint string    `xml:"keyFingerprint"`
	Name        string    `xml:"keyName"`
	Material    string    `xml:"keyMaterial"`
	Tags        list[tag] `xml:"tagSet"`
}

func (s *Service) createKeyPair(call *operation.Call, in *createKeyPairInput) (*createKeyPairOutput, error) {
	switch {
	case in.Type != "" && in.Type != "rsa" && in.Type != "ed25519":
		return nil, refuse("InvalidParameterValue", "Value (%s) for parameter KeyType is invalid. It must be rsa or ed25519.",
			clip(in.Type))
	case in.Format != "" && in.Format != "pem" && in.Format != "ppk":
		return nil, refuse("InvalidParameterValue", "Value (%s) for parameter KeyFormat is invalid. It must be pem or ppk.",
			clip(in.Format))
	}
	key, err := makeKey(in.Type)
	if err != nil {
		return nil, fmt.Errorf("make a key pair: %w", err)
	}
	fingerprint, err := key.fingerprint()
	if err != nil {
		return nil, fmt.Errorf("write a key: %w", err)
	}
	made, err := s.addKeyPair(call, in.Name, cmp.Or(in.Type, "rsa"), fingerprint, sshText(key.kind, key.public()),
		in.Specifications)
	if err != nil {
		return nil, err
	}
	material := key.pem()
	if in.Format == "ppk" {
		material = key.ppk(oneLine(in.Name))
	}
	return &createKeyPairOutput{made.KeyPairID, made.Fingerprint, made.Name, material, made.Tags}, nil
}

type importKeyPairInput struct {
	Name           string             `ec2:"KeyName,required"`
	Material       string             `ec2:"PublicKeyMaterial,required"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type importKeyPairOutput struct {
	KeyPairID   string    `xml:"keyPairId"`
	Fingerprint string    `xml:"keyFingerprint"`
	Name        string    `xml:"keyName"`
	Tags        list[tag] `xml:"tagSet"`
}

func (s *Service) importKeyPair(call *operation.Call, in *importKeyPairInput) (*importKeyPairOutput, error) {
	text, err := base64.StdEncoding.DecodeString(in.Material)
	if err != nil {
		return nil, refuse("InvalidParameterValue", "Value for parameter PublicKeyMaterial is invalid. It is not base64.")
	}
	kind, fingerprint, err := readSSHKey(string(text))
	if err != nil {
		return nil, refuse("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
	}
	made, err := s.addKeyPair(call, in.Name, kind, fingerprint, strings.TrimSpace(string(text)), in.Specifications)
	if err != nil {
		return nil, err
	}
	return &importKeyPairOutput{made.KeyPairID, made.Fingerprint, made.Name, made.Tags}, nil
}

func (s *Service) addKeyPair(call *operation.Call, name, kind, fingerprint, public string,
	specifications []tagSpecification) (keyPair, error) {
	if len(name) > 255 {
		return keyPair{}, refuse("InvalidParameterValue", "KeyName must be at most 255 characters.")
	}
	given, err := newTags(specifications, "key-pair")
	if err != nil {
		return keyPair{}, err
	}
	made := keyPair{KeyPairID: newID("key"), Fingerprint: fingerprint, Name: name, Type: kind, PublicKey: public,
		Created: timestamp(s.now()), Tags: given}
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		if s.CheckKeyPair(tx, name) == nil {
			return refuse("InvalidKeyPair.Duplicate", "The keypair already exists: %s", clip(name))
		}
		keyPairs.put(s, tx, made)
		tags.Put(tx, made.KeyPairID, given)
		return nil
	})
	if err != nil {
		return keyPair{}, wrap(call, err)
	}
	return made, nil
}

type deleteKeyPairInput struct {
	Name string `ec2:"KeyName"`
	ID   string `ec2:"KeyPairId"`
}

type deleteKeyPairOutput struct {
	Return    bool   `xml:"return"`
	KeyPairID string `xml:"keyPairId,omitempty"`
}

// deleteKeyPair deletes a key pair; of a name that there is not it does nothing, as EC2.
func (s *Service) deleteKeyPair(call *operation.Call, in *deleteKeyPairInput) (*deleteKeyPairOutput, error) {
	if in.Name == "" && in.ID == "" {
		return nil, refuse("MissingParameter", "The request must contain the parameter KeyName or KeyPairId")
	}
	out := &deleteKeyPairOutput{Return: true}
	return change(s, call, out, func(tx *state.Txn) error {
		out.KeyPairID = ""
		for _, k := range keyPairs.all(s, tx) {
			if k.Name == in.Name || k.KeyPairID == in.ID {
				out.KeyPairID = k.KeyPairID
				return keyPairs.delete(s, tx, k.KeyPairID)
			}
		}
		if in.ID != "" {
			return noKeyPair(in.ID)
		}
		return nil
	})
}

// colons is a fingerprint as EC2 writes those of RSA keys.
func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}

// sshText is a public key as a line of authorized_keys.
func sshText(kind string, blob []byte) string {
	return kind + " " + base64.StdEncoding.EncodeToString(blob)
}

// rsaWire is an RSA public key as SSH sends it (RFC 4253, section 6.6).
func rsaWire(key *rsa.PublicKey) []byte {
	return sshStrings([]byte("ssh-rsa"), positive(big.NewInt(int64(key.E))), positive(key.N))
}

// positive is a number's bytes, of which the first does not look like a sign.
func positive(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) > 0 && b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return b
}

// readSSHKey is the type of a public key in OpenSSH's format, and its fingerprint as EC2 tells that of an imported key.
func readSSHKey(text string) (kind, fingerprint string, err error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return "", "", fmt.Errorf("no key")
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return "", "", err
	}
	var parts [][]byte
	for rest := blob; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return "", "", fmt.Errorf("the key is cut short")
		}
		n := binary.BigEndian.Uint32(rest)
		parts, rest = append(parts, rest[4:4+n]), rest[4+n:]
	}
	switch {
	case len(parts) == 0 || string(parts[0]) != fields[0]:
	case fields[0] == "ssh-ed25519" && len(parts) == 2 && len(parts[1]) == ed25519.PublicKeySize:
		sum := sha256.Sum256(blob)
		return "ed25519", base64.StdEncoding.EncodeToString(sum[:]), nil
	case fields[0] == "ssh-rsa" && len(parts) == 3 && len(parts[1]) <= 8:
		key := &rsa.PublicKey{E: int(new(big.Int).SetBytes(parts[1]).Int64()), N: new(big.Int).SetBytes(parts[2])}
		der, err := x509.MarshalPKIXPublicKey(key)
		sum := md5.Sum(der) // of imported keys: "Verify the fingerprint of your key pair"
		return "rsa", colons(sum[:]), err
	}
	return "", "", fmt.Errorf("no key that EC2 takes")
}
