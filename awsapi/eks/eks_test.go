package eks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/google/go-cmp/cmp"
)

// TestEveryOperationOfTheSDKIsKnown compares the table with the client's methods, so that a new SDK cannot bring an
// operation unseen.
func TestEveryOperationOfTheSDKIsKnown(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*sdk.Client]()
	for i := range client.NumMethod() {
		if name := client.Method(i).Name; name != "Options" {
			want = append(want, name)
		}
	}
	var got []string
	for _, operation := range operations {
		got = append(got, operation.ID().Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-SDK +table):\n%s", diff)
	}
}

func TestServiceAccountKeysInAllFormsGiveOneName(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	prime, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := func(bytes []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "KEY", Bytes: bytes}))
	}
	for name, forms := range map[string][]string{
		"ES256": {der(x509.MarshalECPrivateKey(curve)), der(x509.MarshalPKCS8PrivateKey(curve)),
			der(x509.MarshalPKIXPublicKey(&curve.PublicKey))},
		"RS256": {der(x509.MarshalPKCS1PrivateKey(prime), nil), der(x509.MarshalPKCS8PrivateKey(prime)),
			der(x509.MarshalPKIXPublicKey(&prime.PublicKey))},
	} {
		first, err := publicKey(forms[0])
		if err != nil {
			t.Fatal(err)
		}
		if first.Alg != name || len(first.Kid) != 43 {
			t.Errorf("%s: got algorithm %s, kid %s", name, first.Alg, first.Kid)
		}
		for i, form := range forms[1:] {
			key, err := publicKey(form)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, key); diff != "" {
				t.Errorf("%s, form %d (-first +this):\n%s", name, i+1, diff)
			}
		}
	}
	for _, text := range []string{"", "not PEM", der([]byte("no key"), nil), der(x509.MarshalPKCS8PrivateKey(edwards))} {
		if key, err := publicKey(text); err == nil {
			t.Errorf("%q gave %v", text, key)
		}
	}
}
