package kms

import (
	"errors"
	"net/http/httptest"
	"testing"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

func TestNonsenseIsNeverAnInternalError(t *testing.T) {
	s := &Service{Region: "us-east-1", AccountID: iam.DefaultAccountID, State: region.NewMemory()}
	admin := iam.Principal{ARN: "arn:aws:iam::111122223333:user/admin", AccountID: iam.DefaultAccountID,
		Policies: []string{iam.AdministratorAccess}}
	for name, action := range s.actions() {
		for _, body := range []string{"", "{}", "[]", `{"KeyId":5}`, `{"KeyId":"x","Tags":[null]}`,
			`{"KeyId":"x","Plaintext":"*","CiphertextBlob":"AA=="}`,
			`{"KeyId":"x","GrantId":"x","GranteePrincipal":"x","Operations":[],"TagKeys":[],"Tags":[],"Description":"",` +
				`"Policy":"x","TargetKeyId":"x","AliasName":"alias/x"}`} {
			_, err := action(&operation.Call{Operation: name, Principal: admin, Body: []byte(body),
				Request: httptest.NewRequest("POST", "/", nil)})
			var e *wire.Error
			if err != nil && (!errors.As(err, &e) || e.Status >= 500) {
				t.Errorf("%s %s: %v", name, body, err)
			}
		}
	}
}
