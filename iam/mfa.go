package iam

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 has it, and all authenticators
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tripod/state"
)

// MFADevice is a virtual MFA device: a seed that IAM and somebody's authenticator share.
type MFADevice struct {
	Serial    string            `json:"serial"` // its ARN
	Name      string            `json:"name"`
	Path      string            `json:"path"`
	Seed      string            `json:"seed"` // base32
	CreatedAt time.Time         `json:"createdAt"`
	Tags      map[string]string `json:"tags,omitempty"`
	// UserID is the unique id of the user whose device it is since EnabledAt; empty where it is nobody's.
	UserID    string     `json:"userId,omitempty"`
	EnabledAt *time.Time `json:"enabledAt,omitempty"`
	// LastStep is the step of the last code that was taken: none is taken twice.
	LastStep int64 `json:"lastStep,omitempty"`
}

// MFADevices are the account's, by Serial.
var MFADevices = state.NewTable[MFADevice]("mfa-device")

const (
	mfaStep  = 30 * time.Second
	mfaDrift = 2 // steps that a clock may be wrong by
)

// ErrBadCode says that a code is not the device's now, or was taken already.
var ErrBadCode = errors.New("the code is not one of the device's")

// code is the device's of a step, after RFC 6238 with SHA-1 and six digits.
func (d MFADevice) code(step int64) string {
	seed, err := base32.StdEncoding.DecodeString(d.Seed)
	if err != nil {
		return "" // which no code is
	}
	mac := hmac.New(sha1.New, seed)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// Code is what an authenticator with the device's seed shows at a time.
func (d MFADevice) Code(now time.Time) string { return d.code(now.Unix() / int64(mfaStep/time.Second)) }

// Take takes codes that the device has shown one after the other until now, each once. The error is ErrBadCode.
func (d *MFADevice) Take(now time.Time, codes ...string) error {
	step := now.Unix() / int64(mfaStep/time.Second)
	for first := step - mfaDrift - int64(len(codes)) + 1; first <= step+mfaDrift; first++ {
		fits := first > d.LastStep
		for i, code := range codes {
			fits = fits && hmac.Equal([]byte(d.code(first+int64(i))), []byte(code))
		}
		if fits {
			d.LastStep = first + int64(len(codes)) - 1
			return nil
		}
	}
	return ErrBadCode
}
