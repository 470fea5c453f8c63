package kms

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RSAES_OAEP_SHA_1 is what it is
	"crypto/sha256"
	"hash"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/state"
)

const symmetric = types.EncryptionAlgorithmSpecSymmetricDefault

// noEnclave refuses to answer for an enclave.
func noEnclave(recipient *types.RecipientInfo) error {
	if recipient != nil {
		return unsupported("Tripod has no Nitro enclaves: leave Recipient out.")
	}
	return nil
}

// with is a request that encrypts or decrypts by an algorithm, the symmetric one unless told otherwise.
func (r request) with(algorithm types.EncryptionAlgorithmSpec) request {
	r.usage, r.algorithm = encryptUsage, string(cmp.Or(algorithm, symmetric))
	r.about = r.about.With(iam.Keys{"kms:encryptionalgorithm": {r.algorithm}})
	return r
}

// oaep is the hash function of an algorithm of RSA keys.
func oaep(algorithm string) hash.Hash {
	if algorithm == string(types.EncryptionAlgorithmSpecRsaesOaepSha1) {
		return sha1.New()
	}
	return sha256.New()
}

// encrypt encrypts by one of the key's algorithms. Only the symmetric one has an encryption context.
func (k Key) encrypt(algorithm string, plaintext []byte, context map[string]string) ([]byte, error) {
	if algorithm == symmetricSpec {
		return k.seal(plaintext, context)
	}
	private, err := k.signer()
	if err != nil {
		return nil, err
	}
	public := private.Public().(*rsa.PublicKey) // others have no such algorithms
	blob, err := rsa.EncryptOAEP(oaep(algorithm), rand.Reader, public, plaintext, nil)
	if err != nil {
		return nil, invalid("Plaintext is too long for the algorithm %s and the key spec %s.", algorithm, k.spec())
	}
	return blob, nil
}

// decrypt is encrypt's reverse, and tells which material it took.
func (k Key) decrypt(algorithm string, ciphertext []byte, context map[string]string) ([]byte, Material, error) {
	if algorithm == symmetricSpec {
		return k.open(ciphertext, context)
	}
	private, err := k.signer()
	if err != nil {
		return nil, Material{}, err
	}
	plaintext, err := rsa.DecryptOAEP(oaep(algorithm), nil, private.(*rsa.PrivateKey), ciphertext, nil)
	if err != nil {
		return nil, Material{}, errCiphertext
	}
	return plaintext, Material{}, nil
}

// materialID is the id of what a symmetric key works with; asymmetric ones tell none.
func materialID(m Material) *string {
	if m.ID == "" {
		return nil
	}
	return aws.String(m.ID)
}

func (s *Service) encrypt(call *operation.Call, in *kms.EncryptInput) (*kms.EncryptOutput, error) {
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, context: in.EncryptionContext,
		states: []string{enabled}, dryRun: in.DryRun}.with(in.EncryptionAlgorithm)
	out := &kms.EncryptOutput{EncryptionAlgorithm: types.EncryptionAlgorithmSpec(r.algorithm)}
	return out, s.view(r, func(_ *state.Txn, key Key) (err error) {
		out.KeyId = aws.String(s.arn("key/" + key.ID))
		out.CiphertextBlob, err = key.encrypt(r.algorithm, in.Plaintext, in.EncryptionContext)
		return err
	})
}

// opening is the request to decrypt something: a symmetric ciphertext says itself which key it is from, of others the
// caller must know.
func (s *Service) opening(tx *state.Txn, r request, ciphertext []byte, keyID *string,
	algorithm types.EncryptionAlgorithmSpec) (request, error) {
	r = r.with(algorithm)
	r.named = aws.ToString(keyID)
	if r.algorithm != symmetricSpec {
		if keyID == nil {
			return r, invalid("KeyId is required to decrypt with the algorithm %s.", r.algorithm)
		}
		r.id, r.byAlias = *keyID, true
		return r, nil
	}
	id, _, ok := sealedBy(ciphertext)
	if !ok {
		return r, invalidCiphertext("The ciphertext is none that this region's KMS made.")
	}
	if keyID != nil {
		key, err := s.find(tx, *keyID, true)
		if err != nil {
			return r, err
		}
		if key.ID != id {
			return r, incorrectKey("The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	r.id = id
	return r, nil
}

func (s *Service) decrypt(call *operation.Call, in *kms.DecryptInput) (*kms.DecryptOutput, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	out := &kms.DecryptOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		r := request{call: call, context: in.EncryptionContext, states: []string{enabled}, dryRun: in.DryRun}
		r, err := s.opening(tx, r, in.CiphertextBlob, in.KeyId, in.EncryptionAlgorithm)
		if err != nil {
			return err
		}
		out.EncryptionAlgorithm = types.EncryptionAlgorithmSpec(r.algorithm)
		return s.within(tx, r, func(_ *state.Txn, key Key) error {
			plaintext, material, err := key.decrypt(r.algorithm, in.CiphertextBlob, in.EncryptionContext)
			if err != nil {
				return invalidCiphertext("%v.", err)
			}
			out.KeyId, out.KeyMaterialId, out.Plaintext = aws.String(s.arn("key/"+key.ID)), materialID(material), plaintext
			return nil
		})
	})
}

// reEncrypt needs two permissions: from the one key, to the other.
func (s *Service) reEncrypt(call *operation.Call, in *kms.ReEncryptInput) (*kms.ReEncryptOutput, error) {
	out := &kms.ReEncryptOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		from := request{call: call, action: "ReEncryptFrom", context: in.SourceEncryptionContext, states: []string{enabled}}
		from, err := s.opening(tx, from, in.CiphertextBlob, in.SourceKeyId, in.SourceEncryptionAlgorithm)
		if err != nil {
			return err
		}
		to := request{call: call, id: aws.ToString(in.DestinationKeyId), byAlias: true, action: "ReEncryptTo",
			context: in.DestinationEncryptionContext,
			states:  []string{enabled}, dryRun: in.DryRun}.with(in.DestinationEncryptionAlgorithm)
		same := s.reEncryptsOnSameKey(tx, from, to)
		from.about, to.about = from.about.With(same), to.about.With(same)
		out.SourceEncryptionAlgorithm, out.DestinationEncryptionAlgorithm = types.EncryptionAlgorithmSpec(from.algorithm),
			types.EncryptionAlgorithmSpec(to.algorithm)
		return s.within(tx, from, func(tx *state.Txn, source Key) error {
			return s.within(tx, to, func(_ *state.Txn, destination Key) error {
				plaintext, material, err := source.decrypt(from.algorithm, in.CiphertextBlob, in.SourceEncryptionContext)
				if err != nil {
					return invalidCiphertext("%v.", err)
				}
				out.SourceKeyId, out.SourceKeyMaterialId = aws.String(s.arn("key/"+source.ID)), materialID(material)
				out.KeyId = aws.String(s.arn("key/" + destination.ID))
				if to.algorithm == symmetricSpec {
					out.DestinationKeyMaterialId = aws.String(destination.current().ID)
				}
				out.CiphertextBlob, err = destination.encrypt(to.algorithm, plaintext, in.DestinationEncryptionContext)
				return err
			})
		})
	})
}

// reEncryptsOnSameKey is the condition key that says whether both keys are one.
func (s *Service) reEncryptsOnSameKey(tx *state.Txn, from, to request) iam.Keys {
	source, err := s.find(tx, from.id, true)
	destination, err2 := s.find(tx, to.id, true)
	return iam.Keys{"kms:reencryptonsamekey": {strconv.FormatBool(err == nil && err2 == nil &&
		destination.ID == source.ID)}}
}
