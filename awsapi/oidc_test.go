package awsapi_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIssuersDocumentsLeadToThePublicKey(t *testing.T) {
	w := newWorld(t)
	response, body := w.raw(t, "GET", "/id/"+clusterID+"/.well-known/openid-configuration", "", nil, nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %s", response.StatusCode, body)
	}
	var discovery map[string]any
	if err := json.Unmarshal([]byte(body), &discovery); err != nil {
		t.Fatal(err)
	}
	issuer := "https://localhost:4566/id/" + clusterID
	want := map[string]any{
		"issuer": issuer, "jwks_uri": issuer + "/keys",
		"authorization_endpoint":   "urn:kubernetes:programmatic_authorization",
		"response_types_supported": []any{"id_token"}, "subject_types_supported": []any{"public"},
		"claims_supported": []any{"sub", "iss"}, "id_token_signing_alg_values_supported": []any{"ES256"},
	}
	if diff := cmp.Diff(want, discovery); diff != "" {
		t.Errorf("discovery (-want +got):\n%s", diff)
	}

	_, body = w.raw(t, "GET", strings.TrimPrefix(discovery["jwks_uri"].(string), "https://localhost:4566"), "", nil,
		nil)
	var set struct {
		Keys []map[string]string
	}
	if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	public := w.serviceAccountKey.PublicKey
	der, err := x509.MarshalPKIXPublicKey(&public)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	point, err := public.Bytes() // 0x04, x, y
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	wantKey := map[string]string{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": base64.RawURLEncoding.EncodeToString(sum[:]),
		"x": encode(point[1:33]), "y": encode(point[33:]),
	}
	if diff := cmp.Diff(wantKey, set.Keys[0]); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}

	for _, path := range []string{"/id/FFFF/keys", "/id/FFFF/.well-known/openid-configuration"} {
		if response, body := w.raw(t, "GET", path, "", nil, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d %s", path, response.StatusCode, body)
		}
	}
	if response, _ := w.raw(t, "HEAD", "/id/"+clusterID+"/keys", "", nil, nil); response.StatusCode != http.StatusOK {
		t.Errorf("HEAD: got %d", response.StatusCode)
	}
}
