package sts

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
)

type federationInput struct {
	Name            string `query:",required"`
	Tags            []Tag
	DurationSeconds *int
	narrowing
}

// Federation is the result of GetFederationToken.
type Federation struct {
	Credentials      Credentials
	FederatedUser    FederatedUser
	PackedPolicySize *int `json:",omitempty"`
}

// FederatedUser is who the credentials make of their bearer.
type FederatedUser struct {
	FederatedUserID string `xml:"FederatedUserId" json:"FederatedUserId"`
	ARN             string `xml:"Arn" json:"Arn"`
}

// federationToken makes temporary credentials of somebody for whom the user who calls vouches. They allow what both the
// user and the policies that are given here allow: without policies nothing.
func (s *Service) federationToken(call *operation.Call, in *federationInput) (*Federation, error) {
	tags, err := sessionTags(in.Tags)
	if err != nil {
		return nil, err
	}
	account := call.Principal.AccountID
	user := FederatedUser{FederatedUserID: account + ":" + in.Name,
		ARN: "arn:aws:sts::" + account + ":federated-user/" + in.Name}
	actions := []string{"sts:GetFederationToken"}
	if len(tags) > 0 {
		actions = append(actions, tagSession)
	}
	for _, action := range actions {
		if err := call.Authorize(wire.Query, action, user.ARN); err != nil {
			return nil, err
		}
	}
	session := iam.Session{User: call.Principal.UserName(), ID: call.Principal.UserID, Name: in.Name, Tags: tags}
	if err := s.narrow(&session, in.narrowing); err != nil {
		return nil, err
	}
	credentials, size, err := s.issue(call, account, session, duration(in.DurationSeconds, defaultUserSession))
	if err != nil {
		return nil, err
	}
	return &Federation{Credentials: credentials, FederatedUser: user, PackedPolicySize: size}, nil
}
