package iam

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"tripod/region"
)

// denialSeal stands where a session token has its access key's id: neither is ever taken for the other.
const denialSeal = "authorization message"

// ErrBadDenial says that an encoded authorization failure message was not made here.
var ErrBadDenial = errors.New("the message is not this region's")

// Denial is why a call was refused. EC2 gives it to the caller encoded, since it tells more than who may do nothing
// should know; sts decode-authorization-message is for those who may.
type Denial struct {
	Decision         Decision
	Principal        Principal
	Action, Resource string
	Keys             Keys
}

// items is a list as decoded messages have it.
type items[T any] struct {
	Items []T `json:"items"`
}

type denialKey struct {
	Key    string             `json:"key"`
	Values items[denialValue] `json:"values"`
}

type denialValue struct {
	Value string `json:"value"`
}

// MarshalJSON writes what DecodeAuthorizationMessage answers ("DecodeAuthorizationMessage" of the STS API reference).
// The statements that matched are not told.
func (d Denial) MarshalJSON() ([]byte, error) {
	none := items[struct{}]{[]struct{}{}}
	conditions := items[denialKey]{[]denialKey{}}
	for _, key := range slices.Sorted(maps.Keys(d.Keys)) {
		one := denialKey{Key: key}
		for _, value := range d.Keys[key] {
			one.Values.Items = append(one.Values.Items, denialValue{value})
		}
		conditions.Items = append(conditions.Items, one)
	}
	return json.Marshal(map[string]any{
		"allowed": false, "explicitDeny": d.Decision == ExplicitDeny, "matchedStatements": none, "failures": none,
		"context": map[string]any{
			"principal": map[string]string{"id": d.Principal.UserID, "name": d.Principal.givenName(), "arn": d.Principal.ARN},
			"action":    d.Action, "resource": d.Resource, "conditions": conditions,
		},
	})
}

// SealDenial encodes a denial with the region's key.
func SealDenial(random io.Reader, key region.SessionKey, d Denial) (string, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("seal denial: %w", err)
	}
	return seal(random, key, denialSeal, text)
}

// OpenDenial is the JSON of a denial that SealDenial made. The error is ErrBadDenial for what it did not.
func OpenDenial(key region.SessionKey, message string) (string, error) {
	text, ok, err := unseal(key, denialSeal, message)
	if err != nil {
		return "", fmt.Errorf("open denial: %w", err)
	}
	if !ok {
		return "", ErrBadDenial
	}
	return string(text), nil
}
