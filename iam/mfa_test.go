package iam

import (
	"encoding/base32"
	"testing"
	"time"
)

// TestCodesAreThoseOfAuthenticators has the SHA-1 examples of RFC 6238, appendix B, cut to six digits.
func TestCodesAreThoseOfAuthenticators(t *testing.T) {
	d := MFADevice{Seed: base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))}
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := d.Code(time.Unix(at, 0)); got != want {
			t.Errorf("at %d: got %s, want %s", at, got, want)
		}
	}
	now := time.Unix(1111111111, 0)
	if d.Take(now, d.Code(now.Add(-5*mfaStep))) == nil || d.Take(now, "050470") == nil || d.Take(now, "") == nil {
		t.Error("a code that is not the device's was taken")
	}
	if d.Take(now, d.Code(now)) != nil || d.Take(now, d.Code(now)) == nil ||
		d.Take(now, d.Code(now.Add(-mfaStep))) == nil {
		t.Error("a code was not taken once, or one before it was")
	}
}
