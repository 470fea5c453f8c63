package kms

import (
	"encoding/hex"
	"testing"
)

// TestKeysAreUnwrappedAsInRFC5649 has the examples of its section 6.
func TestKeysAreUnwrappedAsInRFC5649(t *testing.T) {
	bytes := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	kek := bytes("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	for wrapped, want := range map[string]string{
		"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a": "c37b7e6492584340bed12207808941155068f738",
		"afbeb0f07dfbf5419200f2ccb50bb24f":                                 "466f7250617369",
	} {
		got, err := unwrapPadded(kek, bytes(wrapped))
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("got %x, %v, want %s", got, err, want)
		}
		changed := bytes(wrapped)
		changed[len(changed)-1] ^= 1
		for _, bad := range [][]byte{changed, changed[:8], changed[:len(changed)-1], nil} {
			if _, err := unwrapPadded(kek, bad); err == nil {
				t.Errorf("%x was unwrapped", bad)
			}
		}
	}
	if _, err := unwrapPadded(kek[:5], bytes("afbeb0f07dfbf5419200f2ccb50bb24f")); err == nil {
		t.Error("a key of 5 bytes unwraps")
	}
}
