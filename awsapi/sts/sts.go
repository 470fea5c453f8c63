// Package sts is AWS Security Token Service, API version 2011-06-15.
package sts

import (
	"time"

	"tripod/iam"
	"tripod/state"
)

const (
	// Version is the API's version, which every request names.
	Version = "2011-06-15"
	// Namespace is the XML namespace of the answers.
	Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	// Name is the service's signing name.
	Name = "sts"
)

// Service answers STS calls.
type Service struct {
	// State has the roles, and the key that seals session tokens; nil means that there are no temporary credentials.
	State state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Issuers are those of tokens that are not from the region's own clusters.
	Issuers iam.Issuers
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// clip keeps a client's own text short in an answer to it.
func clip(text string) string {
	return text[:min(len(text), 64)]
}
