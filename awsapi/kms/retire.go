package kms

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const tokenPrefix = "grant/"

// token is what CreateGrant gives beside a grant's id: nobody needs it, but RetireGrant takes it.
func (g Grant) token() string {
	return base64.StdEncoding.EncodeToString([]byte(tokenPrefix + g.ID))
}

// retireGrant ends a grant for those whom the grant lets do so ("Retiring and revoking grants" of KMS's guide): its
// retiring principal, its grantee where RetireGrant is among its operations, and the account's root user. Key policies
// and IAM policies let nobody else, but can deny.
func (s *Service) retireGrant(call *operation.Call, in *kms.RetireGrantInput) (*kms.RetireGrantOutput, error) {
	return &kms.RetireGrantOutput{}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		grant, err := s.retirable(tx, in)
		if err != nil {
			return err
		}
		key, err := s.find(tx, grant.KeyID, false)
		if err != nil {
			return err
		}
		r := request{call: call, id: grant.KeyID, grant: &grant, dryRun: in.DryRun}
		q := question{by: call.Principal, action: "RetireGrant", arn: s.arn("key/" + key.ID)}
		q.keys = s.keysOf(r, q.action).With(s.keysAbout(tx, key))
		if reason, denied := q.refused(key); denied || !q.retires(grant) {
			return wire.AccessDenied(wire.AWSJSON, q.by.ARN, "kms:RetireGrant", q.arn,
				cmp.Or(reason, "because no grant allows the kms:RetireGrant action"))
		}
		if key.State == pendingDeletion {
			return s.wrongState(key, []string{enabled, disabled})
		}
		if aws.ToBool(in.DryRun) {
			return dryRun()
		}
		grants.Delete(tx, grant.path())
		return nil
	})
}

// retires says whether a grant lets somebody retire it.
func (q question) retires(g Grant) bool {
	by := []string{cmp.Or(g.RetiringID, g.Retiring)}
	if slices.Contains(g.Operations, q.action) {
		by = append(by, cmp.Or(g.GranteeID, g.Grantee))
	}
	return q.by.IsRoot() || slices.ContainsFunc(by, q.is)
}

// is says whether a principal of a grant is who asks. Where it is the account, that is up to the policies of those who
// are in the account.
func (q question) is(principal string) bool {
	matched, direct := q.by.Match(principal)
	if !matched || direct {
		return matched && q.by.Named(principal, q.request())
	}
	decision, _ := q.by.Evaluate("kms:"+q.action, q.arn, q.keys)
	return decision == iam.Allowed
}

// retirable is the grant that a call names, by its token or by its key's ARN and its id.
func (s *Service) retirable(tx *state.Txn, in *kms.RetireGrantInput) (Grant, error) {
	if in.GrantToken != nil {
		text, _ := base64.StdEncoding.DecodeString(*in.GrantToken)
		for _, g := range grants.List(tx) {
			if id, found := strings.CutPrefix(string(text), tokenPrefix); found && g.ID == id {
				return g, nil
			}
		}
		return Grant{}, wire.Modelled(&types.InvalidGrantTokenException{Message: aws.String(
			"The grant token is not valid.")}, schemas.InvalidGrantTokenException)
	}
	if in.KeyId == nil || in.GrantId == nil {
		return Grant{}, invalid("Either a GrantToken, or a KeyId and a GrantId are required.")
	}
	key, err := s.find(tx, *in.KeyId, false)
	if err != nil {
		return Grant{}, err
	}
	grant, found := grants.Get(tx, Grant{KeyID: key.ID, ID: *in.GrantId}.path())
	if !found {
		return Grant{}, invalidGrant("Grant ID %s not found", *in.GrantId)
	}
	return grant, nil
}

func (s *Service) listRetirableGrants(call *operation.Call,
	in *kms.ListRetirableGrantsInput) (*kms.ListRetirableGrantsOutput, error) {
	if err := s.may(call, "ListRetirableGrants", "*", nil); err != nil {
		return nil, err
	}
	var all []Grant
	err := s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, g := range grants.List(tx) {
			g.Grantee, g.Retiring = iam.ShownAs(tx, g.Grantee, g.GranteeID), iam.ShownAs(tx, g.Retiring, g.RetiringID)
			if g.Retiring == aws.ToString(in.RetiringPrincipal) {
				all = append(all, g)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Grant) int { return strings.Compare(a.ID, b.ID) })
	part, next, err := page(call, aws.ToString(in.RetiringPrincipal), in.Limit, in.Marker, 50, all,
		func(g Grant) string { return g.ID })
	out := &kms.ListRetirableGrantsOutput{Grants: []types.GrantListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, g := range part {
		out.Grants = append(out.Grants, s.describeGrant(g))
	}
	return out, err
}
