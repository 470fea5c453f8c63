package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
)

// crowd is how many users a region gets, and sampled how many calls of each kind are timed before and after, one after
// the other.
const (
	crowd   = 10_000
	sampled = 100
)

// runPrincipals measures what IAM's calls take while a region has few users, and again when it has very many: what is
// looked up is indexed.
func (b *bench) runPrincipals(ctx context.Context) error {
	if !b.wants("principals") {
		return nil
	}
	return b.withRegion(ctx, "principals", func(r *region) error { return b.measurePrincipals(ctx, r) }, "--quota",
		"users="+strconv.Itoa(2*crowd))
}

func (b *bench) measurePrincipals(ctx context.Context, r *region) error {
	users, err := r.iamClient(ctx)
	if err != nil {
		return err
	}
	if err := b.sampleUsers(ctx, users, "few", createUserFew, createKeyFew, getUserFew); err != nil {
		return err
	}
	begin := time.Now()
	err = inParallel(crowd, func(i int) error {
		name := "one-of-many-" + strconv.Itoa(i)
		_, err := users.CreateUser(ctx, &awsiam.CreateUserInput{UserName: &name})
		return err
	})
	if err != nil {
		return fmt.Errorf("make %d users: %w", crowd, err)
	}
	b.say("%d users made in %v", crowd, time.Since(begin).Round(time.Millisecond))
	return b.sampleUsers(ctx, users, "many", createUserMany, createKeyMany, getUserMany)
}

// sampleUsers times calls that make a user, give it a key and look at it.
func (b *bench) sampleUsers(ctx context.Context, users *awsiam.Client, prefix, create, key, get string) error {
	for i := range sampled {
		name := prefix + "-" + strconv.Itoa(i)
		for _, call := range []struct {
			figure string
			do     func() error
		}{
			{create, func() error {
				_, err := users.CreateUser(ctx, &awsiam.CreateUserInput{UserName: &name})
				return err
			}},
			{key, func() error {
				_, err := users.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: &name})
				return err
			}},
			{get, func() error {
				_, err := users.GetUser(ctx, &awsiam.GetUserInput{UserName: &name})
				return err
			}},
		} {
			begin := time.Now()
			if err := call.do(); err != nil {
				return fmt.Errorf("%s: %w", call.figure, err)
			}
			b.report.addTripod(call.figure, milliseconds(time.Since(begin)))
		}
	}
	return nil
}

// iamClient calls IAM as the region's administrator.
func (r *region) iamClient(ctx context.Context) (*awsiam.Client, error) {
	api, err := r.awsClient(ctx)
	if err != nil {
		return nil, err
	}
	options := api.Options()
	return awsiam.New(awsiam.Options{Region: options.Region, BaseEndpoint: options.BaseEndpoint,
		HTTPClient: options.HTTPClient, Credentials: options.Credentials}), nil
}
