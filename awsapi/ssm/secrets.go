package ssm

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Keys are KMS's, as far as secrets need them.
type Keys interface {
	// Use asks whether the caller may do something, such as Decrypt, with a key in this service, whose endpoint is by.
	Use(tx *state.Txn, call *operation.Call, keyID, action, by string, context map[string]string) error
}

// opaque is how a SecureString is shown to those who do not ask for its decryption. It says nothing of the value: that two
// versions have the same one, or a value that somebody guesses, cannot be seen.
func (p Parameter) opaque(v *Version) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%d\x00%d", p.Name, v.Number, v.Changed.UnixNano())))
	return "AQICAHh" + base64.StdEncoding.EncodeToString(sum[:])
}

// mayUse asks for the permission to use a secret's key, where it is the caller's own: AWS's own key for the Parameter Store
// lets in all who may use the Parameter Store.
func (s *Service) mayUse(tx *state.Txn, call *operation.Call, p Parameter, action string) error {
	if p.Type != secure || s.Keys == nil || p.KeyID == "" || p.KeyID == ownKey || strings.HasSuffix(p.KeyID, ":"+ownKey) {
		return nil
	}
	err := s.Keys.Use(tx, call, p.KeyID, action, Name+"."+s.Region+".amazonaws.com",
		map[string]string{"PARAMETER_ARN": s.arn(p.Name)})
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Code != "AccessDeniedException" {
		return refuse("InvalidKeyId", "%s", refused.Message)
	}
	return err
}
