package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"tripod/client"
	"tripod/internal/sdkclient"
	"tripod/system/histories"
)

const awsHistoryUsers, awsHistoryTags, awsHistoryTagger = 3, 4, "history-tags"

// TestAWSHistoriesAreRightUnderFaults: clients make and delete access keys and sign with them, set and clear tags, and make and delete
// access entries, through the endpoint and each zone's own front, while zones die and pause, and links are cut and slow. What was
// acknowledged is so for whoever asks later. Half a minute of it runs always; TRIPOD_SOAK and TRIPOD_SEED as for Kubernetes' histories.
func TestAWSHistoriesAreRightUnderFaults(t *testing.T) {
	t.Parallel()
	lasts := max(soaking, 30*time.Second)
	r := startRegion(t)
	recorder := &awsRecorder{history: &histories.Calls{}}
	recorder.begin(t, r)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var working sync.WaitGroup
	for n := range awsHistoryUsers {
		working.Go(func() { recorder.work(ctx, n, recorder.keys(n)) })
		working.Go(func() { recorder.work(ctx, awsHistoryUsers+n, recorder.tagsAndEntries) })
		working.Go(func() { recorder.work(ctx, 2*awsHistoryUsers+n, recorder.signs) })
	}
	faults := r.breakAtRandom(t, lasts, rand.New(rand.NewPCG(historySeed, 0)), ofAWS)
	cancel()
	working.Wait()
	recorder.readAll(t)
	calls := recorder.history.All()
	t.Logf("seed %d: %d faults, %d calls, %d keys, %d writes of unknown outcome", historySeed, faults, len(calls), len(recorder.made),
		recorder.unknown.Load())
	if len(calls) < 100 || len(recorder.made) < 5 {
		t.Error("that is too little to say anything")
	}
	for _, fault := range recorder.history.Check() {
		t.Error(fault)
	}
	if t.Failed() {
		keepHistory(t, calls, recorder.history.Picture)
	}
}

// ofAWS says whether a mishap touches the AWS endpoint.
func ofAWS(m mishap) bool {
	return !strings.Contains(m.name, " etcd/") && !strings.Contains(m.name, " apiserver/")
}

// awsRecorder has clients call the AWS endpoint, and records what comes of it.
type awsRecorder struct {
	history *histories.Calls
	ways    []way
	admin   iamtypes.AccessKey
	account string
	values  atomic.Int64
	unknown atomic.Int64

	mu   sync.Mutex
	made []iamtypes.AccessKey // all that were acknowledged, whether deleted since or not
}

// way is how the endpoint is called: through the balancer, or a zone's own front.
type way struct {
	zone string // empty: through the balancer
	aws.Config
}

func (c *awsRecorder) begin(t *testing.T, r *testRegion) {
	t.Helper()
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	c.admin = iamtypes.AccessKey{AccessKeyId: &credentials.AccessKeyID, SecretAccessKey: &credentials.SecretAccessKey}
	c.account = credentials.AccountID
	base := aws.Config{Region: "us-east-1", Retryer: func() aws.Retryer { return aws.NopRetryer{} }}
	for _, letter := range []string{"", "a", "b", "c"} {
		w := way{letter, base}
		if letter == "" {
			w.HTTPClient, w.BaseEndpoint = sdkclient.New(&http.Transport{}, time.Minute), aws.String(r.status(t).AWSEndpoint)
		} else {
			w.HTTPClient, w.BaseEndpoint = sdkclient.Over(r.frontSocket(t, letter), time.Minute), aws.String("http://localhost")
		}
		c.ways = append(c.ways, w)
	}
	ctx := within(t, time.Minute)
	services := iam.NewFromConfig(c.as(0, c.admin).Config)
	for n := range awsHistoryUsers {
		_, err := services.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(historyUser(n))})
		must(t, "CreateUser", err)
	}
	_, err = services.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(awsHistoryTagger)})
	must(t, "CreateUser", err)
	c.history.Add(histories.Call{Kind: histories.Make, Thing: keyThing(c.admin), Value: "signs", Outcome: histories.OK})
}

func historyUser(n int) string { return fmt.Sprintf("history-%d", n) }

func keyThing(key iamtypes.AccessKey) string { return "key " + *key.AccessKeyId }

// as is one of the ways, signed with a key.
func (c *awsRecorder) as(n int, key iamtypes.AccessKey) way {
	w := c.ways[n]
	w.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: *key.AccessKeyId, SecretAccessKey: *key.SecretAccessKey}, nil
	})
	return w
}

// any is a way by chance, of which every second one is the balancer's.
func (c *awsRecorder) any(random *rand.Rand) way {
	return c.as(random.IntN(2)*(1+random.IntN(3)), c.admin)
}

// work does one thing after the other until ctx ends.
func (c *awsRecorder) work(ctx context.Context, n int, step func(context.Context, *rand.Rand, int)) {
	random := rand.New(rand.NewPCG(historySeed, uint64(n)+100))
	pace := time.NewTicker(40 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(context.Background(), 8*time.Second) // what is under way at the end is let finish
		step(one, random, n)
		cancel()
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
}

func (c *awsRecorder) call(client int, w way, kind histories.CallKind, thing string) histories.Call {
	o := histories.Call{Client: client, Kind: kind, Thing: thing, Zone: w.zone, Began: c.history.Now(), Outcome: histories.OK}
	if kind == histories.Make || kind == histories.Set {
		o.Value = fmt.Sprintf("v%d", c.values.Add(1))
	}
	return o
}

// done records what became of a call. Refusals are the codes that say that the thing is there, or not; of a Read they are an answer.
func (c *awsRecorder) done(o histories.Call, err error, refusals ...string) bool {
	o.Ended = c.history.Now()
	code := codeOf(err)
	switch {
	case err == nil:
	case slices.Contains(refusals, code) && o.Kind == histories.Read:
		o.Value = ""
	case slices.Contains(refusals, code):
		o.Outcome = histories.Refused
	case unknownKey(code): // the administrator's key is not known
		c.history.Add(histories.Call{Client: o.Client, Kind: histories.Read, Thing: keyThing(c.admin), Zone: o.Zone, Began: o.Began,
			Ended: o.Ended, Outcome: histories.OK})
		return false
	case o.Kind == histories.Read:
		return false // a read that failed says nothing
	default:
		o.Outcome = histories.Unknown
		c.unknown.Add(1)
	}
	c.history.Add(o)
	return err == nil
}

func codeOf(err error) string {
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode()
	}
	return ""
}

func unknownKey(code string) bool {
	return code == "InvalidClientTokenId" || code == "UnrecognizedClientException"
}

// keys makes and deletes access keys of a user that no other client touches.
func (c *awsRecorder) keys(user int) func(context.Context, *rand.Rand, int) {
	var has *iamtypes.AccessKey
	name := aws.String(historyUser(user))
	return func(ctx context.Context, random *rand.Rand, n int) {
		w := c.any(random)
		services := iam.NewFromConfig(w.Config)
		switch {
		case has == nil:
			o := c.call(n, w, histories.Make, "")
			out, err := services.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
			if err != nil { // a key that nobody was told of may be there
				c.tidy(ctx, w, n, name)
				return
			}
			has = out.AccessKey
			o.Thing, o.Value = keyThing(*has), "signs"
			c.done(o, nil)
			c.mu.Lock()
			c.made = append(c.made, *has)
			c.mu.Unlock()
		case random.IntN(4) == 0:
			o := c.call(n, w, histories.Drop, keyThing(*has))
			_, err := services.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: has.AccessKeyId})
			c.done(o, err, "NoSuchEntity")
			has = nil
		default:
			c.sign(ctx, random.IntN(len(c.ways)), n, *has)
		}
	}
}

// tidy deletes what keys a user has.
func (c *awsRecorder) tidy(ctx context.Context, w way, n int, user *string) {
	services := iam.NewFromConfig(w.Config)
	out, err := services.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user})
	if err != nil {
		return
	}
	for _, key := range out.AccessKeyMetadata {
		c.mu.Lock()
		known := slices.ContainsFunc(c.made, func(k iamtypes.AccessKey) bool { return *k.AccessKeyId == *key.AccessKeyId })
		c.mu.Unlock()
		o := c.call(n, w, histories.Drop, "key "+*key.AccessKeyId)
		_, err := services.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: key.AccessKeyId})
		if known { // its deletion had no answer
			c.done(o, err, "NoSuchEntity")
		}
	}
}

// signs asks who one is with a key of late.
func (c *awsRecorder) signs(ctx context.Context, random *rand.Rand, n int) {
	c.mu.Lock()
	late := slices.Clone(c.made[max(0, len(c.made)-8):])
	c.mu.Unlock()
	if len(late) > 0 {
		c.sign(ctx, random.IntN(len(c.ways)), n, late[random.IntN(len(late))])
	}
}

func (c *awsRecorder) sign(ctx context.Context, way, n int, key iamtypes.AccessKey) {
	w := c.as(way, key)
	o := c.call(n, w, histories.Read, keyThing(key))
	o.Value = "signs"
	_, err := sts.NewFromConfig(w.Config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	c.done(o, err, "InvalidClientTokenId")
}

// tagsAndEntries writes and reads a user's tags, and access entries of the cluster.
func (c *awsRecorder) tagsAndEntries(ctx context.Context, random *rand.Rand, n int) {
	w := c.any(random)
	tag := fmt.Sprintf("tag-%d", random.IntN(awsHistoryTags))
	arn := fmt.Sprintf("arn:aws:iam::%s:user/%s", c.account, historyUser(random.IntN(awsHistoryUsers)))
	services, entries := iam.NewFromConfig(w.Config), eks.NewFromConfig(w.Config)
	switch choice := random.IntN(10); {
	case choice < 2:
		o := c.call(n, w, histories.Set, tag)
		_, err := services.TagUser(ctx, &iam.TagUserInput{UserName: aws.String(awsHistoryTagger),
			Tags: []iamtypes.Tag{{Key: &tag, Value: &o.Value}}})
		c.done(o, err)
	case choice < 3:
		o := c.call(n, w, histories.Clear, tag)
		_, err := services.UntagUser(ctx, &iam.UntagUserInput{UserName: aws.String(awsHistoryTagger), TagKeys: []string{tag}})
		c.done(o, err)
	case choice < 6:
		c.readTags(ctx, w, n)
	case choice < 7:
		o := c.call(n, w, histories.Make, "entry "+arn)
		_, err := entries.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &arn,
			Username: &o.Value})
		c.done(o, err, "ResourceInUseException")
	case choice < 8:
		o := c.call(n, w, histories.Drop, "entry "+arn)
		_, err := entries.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: &arn})
		c.done(o, err, "ResourceNotFoundException")
	default:
		c.readEntry(ctx, w, n, arn)
	}
}

func (c *awsRecorder) readTags(ctx context.Context, w way, n int) {
	asked := c.call(n, w, histories.Read, "")
	out, err := iam.NewFromConfig(w.Config).ListUserTags(ctx, &iam.ListUserTagsInput{UserName: aws.String(awsHistoryTagger)})
	for k := range awsHistoryTags {
		o := asked
		if o.Thing = fmt.Sprintf("tag-%d", k); err == nil {
			for _, tag := range out.Tags {
				if *tag.Key == o.Thing {
					o.Value = *tag.Value
				}
			}
		}
		c.done(o, err)
	}
}

func (c *awsRecorder) readEntry(ctx context.Context, w way, n int, arn string) {
	o := c.call(n, w, histories.Read, "entry "+arn)
	out, err := eks.NewFromConfig(w.Config).DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: aws.String("demo"),
		PrincipalArn: &arn})
	if err == nil {
		o.Value = aws.ToString(out.AccessEntry.Username)
	}
	c.done(o, err, "ResourceNotFoundException")
}

// readAll reads everything once more from everywhere, now that nothing is broken: no acknowledged write is lost.
func (c *awsRecorder) readAll(t *testing.T) {
	t.Helper()
	ctx := within(t, time.Minute)
	for n := range c.ways {
		w := c.as(n, c.admin)
		c.readTags(ctx, w, 0)
		for user := range awsHistoryUsers {
			c.readEntry(ctx, w, 0, fmt.Sprintf("arn:aws:iam::%s:user/%s", c.account, historyUser(user)))
		}
		for _, key := range c.made[max(0, len(c.made)-50):] {
			c.sign(ctx, n, 0, key)
		}
	}
}
