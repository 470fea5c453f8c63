package iam_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tripod/iam"
	"tripod/internal/issuer"
)

func TestForeignIssuersKeysAreFetched(t *testing.T) {
	foreign := issuer.New(t)
	foreign.Serve(nil)
	other := issuer.New(t)
	issuers := &iam.Issuers{}
	for name, c := range map[string]struct {
		token string
		want  bool
	}{
		"its own":              {foreign.Sign(map[string]any{"iss": foreign.URL, "sub": "u"}), true},
		"another's key":        {other.Sign(map[string]any{"iss": foreign.URL, "sub": "u"}), false},
		"without an algorithm": {foreign.SignAs("none", map[string]any{"iss": foreign.URL, "sub": "u"}), false},
	} {
		token, err := iam.ParseWebToken(c.token)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := issuers.Verify(t.Context(), token, []string{foreign.Thumbprint}); got != c.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestForeignIssuersMustBeProper(t *testing.T) {
	for name, c := range map[string]struct {
		discovery   func(map[string]string)
		url         string // in place of the issuer's
		thumbprints bool
		want        string
	}{
		"of an unknown certificate": {want: "neither trusted by this system nor of the provider's thumbprints"},
		"that is another": {thumbprints: true,
			discovery: func(d map[string]string) { d["issuer"] = "https://example.com" }, want: "another issuer's"},
		"with keys by http": {thumbprints: true,
			discovery: func(d map[string]string) { d["jwks_uri"] = "http://127.0.0.1/keys" }, want: "no https URL"},
		"whose keys have moved": {thumbprints: true,
			discovery: func(d map[string]string) { d["jwks_uri"] = d["issuer"] + "/moved" }, want: "it answers 302"},
		"whose keys have no end": {thumbprints: true,
			discovery: func(d map[string]string) { d["jwks_uri"] = d["issuer"] + "/endless" }, want: "longer than"},
		"out in the world":        {url: "https://192.0.2.1", want: "neither localhost nor a loopback address"},
		"of the cloud's metadata": {url: "https://169.254.169.254", want: "neither localhost nor a loopback address"},
		"whose keys are elsewhere": {thumbprints: true,
			discovery: func(d map[string]string) { d["jwks_uri"] = "https://10.0.0.1/keys" },
			want:      "neither localhost nor a loopback address"},
	} {
		t.Run(name, func(t *testing.T) {
			foreign := issuer.New(t)
			foreign.Serve(c.discovery)
			if c.url == "" {
				c.url = foreign.URL
			}
			token, err := iam.ParseWebToken(foreign.Sign(map[string]any{"iss": c.url, "sub": "u"}))
			if err != nil {
				t.Fatal(err)
			}
			var thumbprints []string
			if c.thumbprints {
				thumbprints = []string{foreign.Thumbprint}
			}
			got, err := (&iam.Issuers{}).Verify(t.Context(), token, thumbprints)
			if got || !errors.Is(err, iam.ErrIssuer) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want an error with %q", got, err, c.want)
			}
		})
	}
}

func TestKeysAreFetchedOnceAndAnewAfterTheirTime(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	issuers := &iam.Issuers{Now: func() time.Time { return now }}
	foreign := issuer.New(t)
	fetches := foreign.Serve(nil)
	verify := func(by *issuer.Issuer) {
		t.Helper()
		token, err := iam.ParseWebToken(by.Sign(map[string]any{"iss": foreign.URL, "sub": "u"}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := issuers.Verify(t.Context(), token, []string{foreign.Thumbprint}); err != nil {
			t.Fatal(err)
		}
	}
	stranger := issuer.New(t)
	for i, step := range []struct {
		by   *issuer.Issuer
		wait time.Duration
		want int64
	}{{foreign, 0, 1}, {foreign, time.Minute, 1}, {stranger, 0, 2}, {stranger, time.Second, 2},
		{foreign, 10 * time.Minute, 3}} {
		now = now.Add(step.wait)
		if verify(step.by); fetches.Load() != step.want {
			t.Errorf("step %d: %d fetches, want %d", i, fetches.Load(), step.want)
		}
	}
}

func TestIssuerThatFailsIsAskedOnceAPause(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var asked atomic.Int64
	issuers := &iam.Issuers{Now: func() time.Time { return now },
		Dial: func(context.Context, *net.Dialer, string, string) (net.Conn, error) {
			asked.Add(1)
			return nil, errors.New("nobody is there")
		}}
	token, err := iam.ParseWebToken(issuer.New(t).Sign(map[string]any{"iss": "https://localhost", "sub": "u"}))
	if err != nil {
		t.Fatal(err)
	}
	for want := int64(1); want <= 2; want++ {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got, err := issuers.Verify(t.Context(), token, nil); got || !errors.Is(err, iam.ErrIssuer) ||
					!strings.Contains(err.Error(), "nobody is there") {
					t.Errorf("got %v, %v, want the issuer's fault", got, err)
				}
			})
		}
		if all.Wait(); asked.Load() != want {
			t.Errorf("asked %d times, want %d", asked.Load(), want)
		}
		now = now.Add(time.Minute)
	}
}
