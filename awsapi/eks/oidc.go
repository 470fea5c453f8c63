package eks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"

	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// OIDCRoutes adds the unsigned documents with which others verify service account tokens:
// /id/CLUSTERID/.well-known/openid-configuration and /id/CLUSTERID/keys, as oidc.eks.REGION.amazonaws.com has them.
// onError is told what a client must not see.
func (s *Service) OIDCRoutes(router *mux.Router, onError func(*http.Request, error)) {
	document := func(build func(region.Cluster) (any, error)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cluster, found, err := s.cluster(mux.Vars(r)["id"])
			if err == nil && !found {
				wire.Write(w, http.StatusNotFound, "application/json",
					[]byte(`{"message":"There is no cluster with this issuer."}`))
				return
			}
			var text []byte
			if err == nil {
				var v any
				if v, err = build(cluster); err == nil {
					text, err = json.Marshal(v)
				}
			}
			if err != nil {
				onError(r, err)
				wire.Write(w, http.StatusInternalServerError, "application/json",
					[]byte(`{"message":"The document cannot be made; Tripod's log says why."}`))
				return
			}
			wire.Write(w, http.StatusOK, "application/json", text)
		})
	}
	router.Handle("/id/{id}/.well-known/openid-configuration", document(discovery)).Methods(http.MethodGet,
		http.MethodHead)
	router.Handle("/id/{id}/keys", document(keySet)).Methods(http.MethodGet, http.MethodHead)
}

func (s *Service) cluster(id string) (cluster region.Cluster, found bool, err error) {
	err = s.State.View(func(tx *state.Txn) error {
		cluster, found = region.Clusters.Get(tx, id)
		return nil
	})
	return cluster, found, err
}

// discovery is OpenID Connect Discovery's provider metadata, with the members that EKS has.
func discovery(c region.Cluster) (any, error) {
	key, err := publicKey(c.Secrets.ServiceAccountKey)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"issuer":                                c.Issuer,
		"jwks_uri":                              c.Issuer + "/keys",
		"authorization_endpoint":                "urn:kubernetes:programmatic_authorization",
		"response_types_supported":              []string{"id_token"},
		"subject_types_supported":               []string{"public"},
		"claims_supported":                      []string{"sub", "iss"},
		"id_token_signing_alg_values_supported": []string{key.Alg},
	}, nil
}

func keySet(c region.Cluster) (any, error) {
	key, err := publicKey(c.Secrets.ServiceAccountKey)
	if err != nil {
		return nil, err
	}
	return map[string]any{"keys": []jwk{key}}, nil
}

// jwk is a public JSON Web Key (RFC 7517) of type RSA or EC.
type jwk struct {
	Kty string `json:"kty"`
	Use string `json:"use"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

// publicKey is the public half of the PEM key that signs service account tokens. Nothing private leaves this function.
func publicKey(text string) (jwk, error) {
	public, err := iam.PublicKey(text)
	if err != nil {
		return jwk{}, err
	}
	// The API server names its keys so, and writes the name into each token.
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return jwk{}, fmt.Errorf("service account key: %w", err)
	}
	sum := sha256.Sum256(der)
	key := jwk{Use: "sig", Kid: base64url(sum[:])}
	switch public := public.(type) {
	case *rsa.PublicKey:
		key.Kty, key.Alg = "RSA", "RS256"
		key.N, key.E = base64url(public.N.Bytes()), base64url(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		return key.withCurve(public)
	default:
		return jwk{}, fmt.Errorf("service account key: %T is neither RSA nor ECDSA", public)
	}
	return key, nil
}

func (k jwk) withCurve(public *ecdsa.PublicKey) (jwk, error) {
	algorithms := map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}
	point, err := public.Bytes() // 4, X, Y
	if err != nil {
		return jwk{}, fmt.Errorf("service account key: %w", err)
	}
	half := (len(point) - 1) / 2
	k.Kty, k.Alg, k.Crv = "EC", algorithms[public.Curve], public.Params().Name
	k.X, k.Y = base64url(point[1:1+half]), base64url(point[1+half:])
	return k, nil
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
