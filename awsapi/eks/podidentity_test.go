package eks_test

import (
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func association(change func(*eks.CreatePodIdentityAssociationInput)) *eks.CreatePodIdentityAssociationInput {
	in := &eks.CreatePodIdentityAssociationInput{ClusterName: aws.String("demo"), Namespace: aws.String("default"),
		ServiceAccount: aws.String("app"), RoleArn: aws.String(role)}
	if change != nil {
		change(in)
	}
	return in
}

func TestPodIdentityAssociationStory(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	in := association(func(in *eks.CreatePodIdentityAssociationInput) { in.ClientRequestToken = aws.String("t") })
	made := must(w.CreatePodIdentityAssociation(ctx, in))(t).Association
	if !regexp.MustCompile(`^a-[a-z0-9]{17}$`).MatchString(*made.AssociationId) ||
		*made.AssociationArn != "arn:aws:eks:us-east-1:111122223333:podidentityassociation/demo/"+*made.AssociationId {
		t.Errorf("got id %s, ARN %s", *made.AssociationId, *made.AssociationArn)
	}
	if again := must(w.CreatePodIdentityAssociation(ctx, in))(t).Association; *again.AssociationId != *made.AssociationId {
		t.Error("the same token made another association")
	}
	out, err := w.CreatePodIdentityAssociation(ctx, association(nil))
	wantError(t, out, err, taken)
	must(w.CreatePodIdentityAssociation(ctx,
		association(func(in *eks.CreatePodIdentityAssociationInput) { in.Namespace = aws.String("x") })))(t)
	must(w.CreatePodIdentityAssociation(ctx,
		association(func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = aws.String("y") })))(t)

	pages := eks.NewListPodIdentityAssociationsPaginator(w,
		&eks.ListPodIdentityAssociationsInput{ClusterName: demo, MaxResults: aws.Int32(2)})
	if all := pagesOf(t, pages.HasMorePages,
		func() (*eks.ListPodIdentityAssociationsOutput, error) { return pages.NextPage(ctx) },
		func(out *eks.ListPodIdentityAssociationsOutput) []types.PodIdentityAssociationSummary {
			return out.Associations
		}); len(all) != 3 {
		t.Errorf("got %d associations, want 3", len(all))
	}
	filtered := must(w.ListPodIdentityAssociations(ctx,
		&eks.ListPodIdentityAssociationsInput{ClusterName: demo, Namespace: aws.String("default"),
			ServiceAccount: aws.String("app")}))(t)
	if len(filtered.Associations) != 1 || *filtered.Associations[0].AssociationId != *made.AssociationId {
		t.Errorf("got %+v", filtered.Associations)
	}
	changed := must(w.UpdatePodIdentityAssociation(ctx,
		&eks.UpdatePodIdentityAssociationInput{ClusterName: demo, AssociationId: made.AssociationId,
			TargetRoleArn: aws.String(otherRole), DisableSessionTags: aws.Bool(true)}))(t).Association
	if *changed.TargetRoleArn != otherRole || *changed.ExternalId != "us-east-1/111122223333/demo/default/app" ||
		!*changed.DisableSessionTags || *changed.RoleArn != role {
		t.Errorf("got %+v", changed)
	}
	must(w.DeletePodIdentityAssociation(ctx,
		&eks.DeletePodIdentityAssociationInput{ClusterName: demo, AssociationId: made.AssociationId}))(t)
	gone, err := w.DescribePodIdentityAssociation(ctx,
		&eks.DescribePodIdentityAssociationInput{ClusterName: demo, AssociationId: made.AssociationId})
	wantError(t, gone, err, missing)
}

func TestPodIdentityAssociationsAreRefusedAsEKSRefusesThem(t *testing.T) {
	w := newWorld(t, "API")
	for name, spoil := range map[string]func(*eks.CreatePodIdentityAssociationInput){
		"namespace":       func(in *eks.CreatePodIdentityAssociationInput) { in.Namespace = aws.String("A b") },
		"service account": func(in *eks.CreatePodIdentityAssociationInput) { in.ServiceAccount = aws.String("_") },
		"role": func(in *eks.CreatePodIdentityAssociationInput) {
			in.RoleArn = aws.String("arn:aws:iam::111122223333:user/admin")
		},
		"target role": func(in *eks.CreatePodIdentityAssociationInput) { in.TargetRoleArn = aws.String("x") },
		"policy with session tags": func(in *eks.CreatePodIdentityAssociationInput) {
			in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[]}`)
		},
		"policy": func(in *eks.CreatePodIdentityAssociationInput) {
			in.Policy, in.DisableSessionTags = aws.String(`{`), aws.Bool(true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := w.CreatePodIdentityAssociation(ctx, association(spoil))
			wantError(t, out, err, invalid)
		})
	}
}
