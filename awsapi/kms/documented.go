package kms

import (
	"maps"
	"slices"

	"tripod/awsapi/operation"
)

// documented are the lines of docs/operations.md: the operations that Tripod has.
func documented() []operation.Documented {
	return operation.DocumentBy(slices.Sorted(maps.Keys((&Service{}).actions())), []operation.Clause{
		{Words: []string{"KeyRotation"}, State: operation.Recorded,
			Effect: "the period and the next date are shown; the date does nothing, RotateKeyOnDemand does"},
		{Words: []string{"RotateKeyOnDemand"}, State: operation.Works,
			Effect: "new material encrypts from now on, the old still decrypts"},
		{Words: []string{"CreateKey"}, State: operation.Works,
			Effect: "symmetric, RSA, NIST's elliptic curves, Ed25519 and HMAC keys, with material made here or " +
				"imported; multi-Region keys without replicas; other kinds of keys are refused"},
		{Words: []string{"Import"}, State: operation.Works,
			Effect: "one material a key, wrapped by RSAES_OAEP or RSA_AES_KEY_WRAP; it expires, is deleted, and only " +
				"the same comes back"},
		{Words: []string{"ReplicateKey"}, State: operation.Refused,
			Effect: "UnsupportedOperationException: Tripod is one region"},
		{Words: []string{"KeyPolicy", "KeyPolicies"}, State: operation.Works,
			Effect: "evaluated at every call about the key, beside IAM's policies"},
		{Words: []string{"Grant"}, State: operation.Works,
			Effect: "evaluated at every call about the key; grant tokens are not needed, as a grant counts at once"},
		{Words: []string{"KeyDeletion"}, State: operation.Works,
			Effect: "the key is of no use meanwhile, and gone with its material on its day"},
		{Words: []string{"crypt", "GenerateDataKey"}, State: operation.Works,
			Effect: "AES-256-GCM, with the encryption context authenticated; RSA keys by OAEP"},
		{Words: []string{"Sign", "Verify", "Mac", "GetPublicKey"}, State: operation.Works,
			Effect: "real signatures and MACs, which anybody else's libraries verify"},
		{Words: []string{"EnableKey", "DisableKey"}, State: operation.Works,
			Effect: "a disabled key encrypts and decrypts nothing"},
		{Words: []string{""}, State: operation.Works, Effect: "counts from the next call on, in every zone"},
	})
}
