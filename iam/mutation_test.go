package iam_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"tripod/iam"
)

// mutate changes a text in one to three places, as an attacker who tries or a broken client would: bytes and bits,
// pieces left out, doubled, moved, or taken from another text.
func (d dice) mutate(text, other string) string {
	b := []byte(text)
	for range 1 + d.IntN(3) {
		if len(b) < 2 {
			b = append(b, 'A', 'B')
		}
		i, j := d.IntN(len(b)), d.IntN(len(b))
		from, to := min(i, j), max(i, j)
		switch d.IntN(8) {
		case 0:
			b[i] ^= 1 << d.IntN(8)
		case 1:
			b[i] = byte(d.IntN(256))
		case 2:
			b[i] = `ABCabc019_-=.{}[]":,*?$%&/`[d.IntN(26)]
		case 3:
			b[i], b[j] = b[j], b[i]
		case 4:
			b = append(b[:from:from], b[to:]...)
		case 5:
			b = append(b[:to:to], b[from:]...)
		case 6:
			b = b[:i]
		case 7:
			if other != "" {
				k := d.IntN(len(other))
				b = append(b[:i:i], other[k:]...)
			}
		}
	}
	return string(b)
}

func TestNoMutatedTokenIsAccepted(t *testing.T) {
	d, w := newDice(t), newWorld(t)
	_, session := w.deployer(t)
	_, other := w.deployer(t)
	signed, err := iam.Token(context.Background(), w.admin, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	ofSession, err := iam.Token(context.Background(), session, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	verifier := w.verifier()
	for range *rounds {
		if token := d.mutate(session.SessionToken, other.SessionToken); token != session.SessionToken {
			if _, _, err := iam.Lookup(w, session.AccessKeyID, token, now); err == nil {
				t.Fatalf("the session token %q is accepted for %q", token, session.SessionToken)
			}
		}
		good, another := signed, ofSession
		if d.chance(50) {
			good, another = ofSession, signed
		}
		// In its own form, and before it is encoded.
		token, plain := d.mutate(good, another), d.mutate(decoded(good), decoded(another))
		for _, mutated := range []string{token, encode(plain)} {
			// The same request in another spelling is the same token.
			if _, err := verifier.Verify(mutated); err == nil && !sameRequest(decoded(mutated), decoded(signed)) &&
				!sameRequest(decoded(mutated), decoded(ofSession)) {
				t.Fatalf("the token %q is accepted: %q", mutated, decoded(mutated))
			}
		}
	}
}

// decoded is the URL in a cluster's token, or what there is of it.
func decoded(token string) string {
	text, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "k8s-aws-v1."))
	return string(text)
}

func TestMutatedPoliciesAreReadOrRefused(t *testing.T) {
	d := newDice(t)
	for range *rounds {
		trust := d.chance(30)
		parse := iam.ParseIdentity
		if trust {
			parse = iam.ParseTrust
		}
		text := d.mutate(d.policy(t, trust), d.policy(t, trust))
		document, err := parse(text)
		if err == nil {
			iam.Decide(d.request(), document)
		}
		if err == nil && !json.Valid([]byte(text)) {
			t.Fatalf("read though it is no JSON: %q", text)
		}
	}
}
