package eks

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

const maxLicenses = 100 // of a subscription

// subscription is an EKS Anywhere subscription: recorded, never billed.
type subscription struct {
	Name string `json:"name"` // the model's answers do not show it
	types.EksAnywhereSubscription
}

var subscriptions = shelf[subscription]{
	kind: "eks-anywhere-subscription", table: state.NewTable[subscription]("eks-anywhere-subscription"),
	label: func(s *subscription) label { return label{"", aws.ToString(s.Id), aws.ToString(s.Arn), &s.Tags} },
}

func (s *Service) createEksAnywhereSubscription(call *operation.Call,
	in *eks.CreateEksAnywhereSubscriptionInput) (*eks.CreateEksAnywhereSubscriptionOutput, error) {
	return changeAccount(s, call, s.arn(subscriptions.kind, "*"), in.ClientRequestToken, in,
		func(c change) (*eks.CreateEksAnywhereSubscriptionOutput, string, error) {
			if wrong := wrongSubscription(in); wrong != "" {
				return nil, "", about{}.invalidParameter("%s", wrong)
			}
			for _, other := range subscriptions.list(c.tx, "") {
				if other.Name == *in.Name {
					return nil, "", about{subscription: *other.Id}.invalidParameter("There is an EKS Anywhere subscription named "+
						"%s already: %s.", *in.Name, *other.Id)
				}
			}
			tags, err := about{}.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			made := subscription{Name: *in.Name, EksAnywhereSubscription: types.EksAnywhereSubscription{
				Id: aws.String(c.id), Arn: aws.String(s.arn(subscriptions.kind, c.id)), AutoRenew: in.AutoRenew, Term: in.Term,
				Tags:      tags,
				CreatedAt: aws.Time(c.now), EffectiveDate: aws.Time(c.now),
				ExpirationDate:  aws.Time(c.now.AddDate(0, int(in.Term.Duration), 0)),
				LicenseQuantity: max(in.LicenseQuantity, 1), LicenseType: types.EksAnywhereSubscriptionLicenseTypeCluster,
				LicenseArns: []string{}, Licenses: []types.License{},
				Status: aws.String(string(types.EksAnywhereSubscriptionStatusActive)),
			}}
			subscriptions.put(c.tx, made)
			shown := made.EksAnywhereSubscription
			shown.Status = aws.String(string(types.EksAnywhereSubscriptionStatusCreating))
			return &eks.CreateEksAnywhereSubscriptionOutput{Subscription: &shown}, *made.Arn, nil
		})
}

// wrongSubscription says what is wrong with a request for a subscription, or returns "".
func wrongSubscription(in *eks.CreateEksAnywhereSubscriptionInput) string {
	if wrong := wrongName("name", aws.ToString(in.Name), 100); wrong != "" {
		return wrong
	}
	switch {
	case in.Term == nil || in.Term.Unit != types.EksAnywhereSubscriptionTermUnitMonths || in.Term.Duration != 12 &&
		in.Term.Duration != 36:
		return "The term must be 12 or 36 MONTHS."
	case in.LicenseQuantity < 0 || in.LicenseQuantity > maxLicenses:
		return fmt.Sprintf("The licenseQuantity must be from 1 to %d.", maxLicenses)
	case in.LicenseType != "" && in.LicenseType != types.EksAnywhereSubscriptionLicenseTypeCluster:
		return fmt.Sprintf("The licenseType %s is not valid: it is Cluster.", quote(string(in.LicenseType)))
	}
	return ""
}

func subscriptionWithID(tx *state.Txn, id string) (subscription, error) {
	found, ok := subscription{}, false
	if id != "" {
		found, ok = subscriptions.get(tx, "", id)
	}
	if !ok {
		return found, about{subscription: id}.notFound("No EKS Anywhere subscription found for ID: %s.", quote(id))
	}
	return found, nil
}

func (s *Service) describeEksAnywhereSubscription(call *operation.Call,
	in *eks.DescribeEksAnywhereSubscriptionInput) (*eks.DescribeEksAnywhereSubscriptionOutput, error) {
	id := aws.ToString(in.Id)
	if err := s.authorizeARN(call, s.arn(subscriptions.kind, id)); err != nil {
		return nil, err
	}
	out := &eks.DescribeEksAnywhereSubscriptionOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		found, err := subscriptionWithID(tx, id)
		out.Subscription = &found.EksAnywhereSubscription
		return err
	})
}

func (s *Service) listEksAnywhereSubscriptions(call *operation.Call,
	in *eks.ListEksAnywhereSubscriptionsInput) (*eks.ListEksAnywhereSubscriptionsOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, s.arn(subscriptions.kind, "*")); err != nil {
		return nil, err
	}
	p := paging{operation: call.Operation, max: in.MaxResults, token: in.NextToken}
	for _, status := range in.IncludeStatus {
		p.filters = append(p.filters, string(status))
	}
	out := &eks.ListEksAnywhereSubscriptionsOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		var shown []types.EksAnywhereSubscription
		for _, found := range subscriptions.list(tx, "") {
			if len(p.filters) == 0 || slices.Contains(p.filters, *found.Status) {
				shown = append(shown, found.EksAnywhereSubscription)
			}
		}
		var err error
		out.Subscriptions, out.NextToken, err = page(p, shown, func(s types.EksAnywhereSubscription) string { return *s.Id })
		return err
	})
}

func (s *Service) updateEksAnywhereSubscription(call *operation.Call,
	in *eks.UpdateEksAnywhereSubscriptionInput) (*eks.UpdateEksAnywhereSubscriptionOutput, error) {
	id := aws.ToString(in.Id)
	return changeAccount(s, call, s.arn(subscriptions.kind, id), in.ClientRequestToken, in,
		func(c change) (*eks.UpdateEksAnywhereSubscriptionOutput, string, error) {
			found, err := subscriptionWithID(c.tx, id)
			if err != nil {
				return nil, "", err
			}
			found.AutoRenew = in.AutoRenew
			subscriptions.put(c.tx, found)
			return &eks.UpdateEksAnywhereSubscriptionOutput{Subscription: &found.EksAnywhereSubscription}, "", nil
		})
}

func (s *Service) deleteEksAnywhereSubscription(call *operation.Call,
	in *eks.DeleteEksAnywhereSubscriptionInput) (*eks.DeleteEksAnywhereSubscriptionOutput, error) {
	id := aws.ToString(in.Id)
	return changeAccount(s, call, s.arn(subscriptions.kind, id), nil, in,
		func(c change) (*eks.DeleteEksAnywhereSubscriptionOutput, string, error) {
			gone, err := subscriptionWithID(c.tx, id)
			if err != nil {
				return nil, "", err
			}
			subscriptions.delete(c.tx, "", id)
			gone.Status = aws.String(string(types.EksAnywhereSubscriptionStatusDeleting))
			return &eks.DeleteEksAnywhereSubscriptionOutput{Subscription: &gone.EksAnywhereSubscription}, "", nil
		})
}
