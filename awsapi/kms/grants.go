package kms

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/state"
)

// granted says whether a grant lets the caller in whom policies do not and none denies. One whose grantee is the
// account, or its root user, leaves it to the policies of those who are in the account, as a statement of the key's
// policy would.
func (q question) granted(tx *state.Txn, r request, key Key) bool {
	return slices.ContainsFunc(grantsOf(tx, key.ID), func(g Grant) bool {
		if !slices.Contains(g.Operations, q.action) || !g.lets(r, q.action) {
			return false
		}
		return q.is(cmp.Or(g.GranteeID, g.Grantee))
	})
}

// lets says whether a grant's constraints let an operation through ("Creating grants" of KMS's guide): they do not
// apply to some, and for CreateGrant they are about the grant that comes of it.
func (g Grant) lets(r request, operation string) bool {
	switch operation {
	case "DescribeKey", "RetireGrant":
		return true
	case "CreateGrant":
		return r.grant != nil && g.covers(*r.grant)
	}
	return g.fits(r.context)
}

// covers says whether a grant gives no more than this one: some or all of its operations, in no other encryption
// contexts. To whom it gives them is the grantee's to say.
func (g Grant) covers(child Grant) bool {
	if slices.ContainsFunc(child.Operations,
		func(operation string) bool { return !slices.Contains(g.Operations, operation) }) {
		return false
	}
	if len(g.Equals) > 0 && !maps.Equal(g.Equals, child.Equals) {
		return false
	}
	return holds(child.Equals, g.Subset) || holds(child.Subset, g.Subset)
}

// holds says whether a context has all of the pairs.
func holds(context, pairs map[string]string) bool {
	for name, value := range pairs {
		if given, found := context[name]; !found || given != value {
			return false
		}
	}
	return true
}

// fits says whether a grant is for this encryption context.
func (g Grant) fits(context map[string]string) bool {
	return (len(g.Equals) == 0 || maps.Equal(g.Equals, context)) && holds(context, g.Subset)
}

func newGrant(keyID string, now time.Time) Grant {
	id := make([]byte, 32)
	rand.Read(id) // never fails
	return Grant{ID: hex.EncodeToString(id), KeyID: keyID, CreatedAt: now}
}

// createGrant counts from the next call on, in every zone; the token that KMS gives for the time before is of no
// further use here.
func (s *Service) createGrant(call *operation.Call, in *kms.CreateGrantInput) (*kms.CreateGrantOutput, error) {
	grant := newGrant("", s.now())
	grant.Name, grant.Grantee, grant.Retiring = aws.ToString(in.Name), aws.ToString(in.GranteePrincipal),
		aws.ToString(in.RetiringPrincipal)
	for _, operation := range in.Operations {
		grant.Operations = append(grant.Operations, string(operation))
	}
	if c := in.Constraints; c != nil {
		if c.SourceArn != nil {
			return nil, unsupported("Tripod has no grant constraint SourceArn: leave it out.")
		}
		grant.Equals, grant.Subset = c.EncryptionContextEquals, c.EncryptionContextSubset
	}
	if in.GranteeServicePrincipal != nil || in.RetiringServicePrincipal != nil {
		return nil, unsupported("Tripod has no grants to service principals: name an IAM principal.")
	}
	out := &kms.CreateGrantOutput{}
	asked := request{call: call, id: aws.ToString(in.KeyId), states: []string{enabled}, dryRun: in.DryRun, grant: &grant}
	err := s.change(asked, func(tx *state.Txn, key *Key) (err error) {
		for _, operation := range grant.Operations {
			if !slices.Contains(key.grantable(), operation) {
				return invalid("The operation %s cannot be in a grant on a key of the spec %s and the usage %s.", operation,
					key.spec(), key.usage())
			}
		}
		if len(grant.Equals)+len(grant.Subset) > 0 && key.spec() != symmetricSpec {
			return invalid("Encryption context constraints are for grants on symmetric encryption keys.")
		}
		if grant.GranteeID, err = s.principalID(tx, grant.Grantee); err != nil {
			return err
		}
		if grant.Retiring != "" {
			if grant.RetiringID, err = s.principalID(tx, grant.Retiring); err != nil {
				return err
			}
		}
		grant.KeyID = key.ID
		for _, other := range grantsOf(tx, key.ID) {
			if grant.Name != "" && other.same(grant) { // one grant of that name, however often it is asked for
				grant = other
			}
		}
		grants.Put(tx, grant.path(), grant)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.GrantId, out.GrantToken = aws.String(grant.ID), aws.String(grant.token())
	return out, nil
}

// principalID is the unique id of the principal of a grant, empty for an account. One that is not there is refused, as
// KMS does.
func (s *Service) principalID(tx *state.Txn, arn string) (string, error) {
	id, known := iam.BindOne(tx, s.AccountID, arn)
	if !known || !strings.HasPrefix(arn, "arn:") {
		return "", invalidARN("ARN does not refer to a valid principal: %s", arn)
	}
	return id, nil
}

func (g Grant) same(other Grant) bool {
	return g.Name == other.Name && g.Grantee == other.Grantee && g.Retiring == other.Retiring &&
		g.GranteeID == other.GranteeID && g.RetiringID == other.RetiringID && slices.Equal(g.Operations, other.Operations) &&
		maps.Equal(g.Equals, other.Equals) && maps.Equal(g.Subset, other.Subset)
}

func (s *Service) listGrants(call *operation.Call, in *kms.ListGrantsInput) (*kms.ListGrantsOutput, error) {
	var all []Grant
	err := s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(tx *state.Txn, key Key) error {
		all = grantsOf(tx, key.ID)
		for i, g := range all {
			all[i].Grantee, all[i].Retiring = iam.ShownAs(tx, g.Grantee, g.GranteeID), iam.ShownAs(tx, g.Retiring, g.RetiringID)
		}
		all = slices.DeleteFunc(all, func(g Grant) bool {
			return in.GrantId != nil && g.ID != *in.GrantId || in.GranteePrincipal != nil &&
				g.Grantee != *in.GranteePrincipal || in.GranteeServicePrincipal != nil
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	filter := strings.Join([]string{aws.ToString(in.KeyId), aws.ToString(in.GrantId), aws.ToString(in.GranteePrincipal)},
		" ")
	part, next, err := page(call, filter, in.Limit, in.Marker, 50, all, func(g Grant) string { return g.ID })
	out := &kms.ListGrantsOutput{Grants: []types.GrantListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, g := range part {
		out.Grants = append(out.Grants, s.describeGrant(g))
	}
	return out, err
}

func (s *Service) describeGrant(g Grant) types.GrantListEntry {
	entry := types.GrantListEntry{KeyId: aws.String(s.arn("key/" + g.KeyID)), GrantId: aws.String(g.ID),
		CreationDate:     aws.Time(g.CreatedAt),
		GranteePrincipal: aws.String(g.Grantee), IssuingAccount: aws.String("arn:aws:iam::" + s.AccountID + ":root"),
		Name: aws.String(g.Name)}
	if g.Retiring != "" {
		entry.RetiringPrincipal = aws.String(g.Retiring)
	}
	for _, operation := range g.Operations {
		entry.Operations = append(entry.Operations, types.GrantOperation(operation))
	}
	if g.Equals != nil || g.Subset != nil {
		entry.Constraints = &types.GrantConstraints{EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset}
	}
	return entry
}

func (s *Service) revokeGrant(call *operation.Call, in *kms.RevokeGrantInput) (*kms.RevokeGrantOutput, error) {
	return &kms.RevokeGrantOutput{},
		s.change(request{call: call, id: aws.ToString(in.KeyId), dryRun: in.DryRun}, func(tx *state.Txn, key *Key) error {
			path := Grant{KeyID: key.ID, ID: aws.ToString(in.GrantId)}.path()
			if _, found := grants.Get(tx, path); !found {
				return invalidGrant("Grant ID %s not found", aws.ToString(in.GrantId))
			}
			grants.Delete(tx, path)
			return nil
		})
}
