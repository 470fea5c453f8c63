package ec2

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// spotRequest is a Spot Instance request as stored and as EC2 shows it. What becomes of it follows from its instance.
// One that there is no capacity for stays open: nothing fulfils it later.
type spotRequest struct {
	RequestID  string      `xml:"spotInstanceRequestId"`
	State      string      `xml:"state"` // stored: open, active or cancelled
	Status     spotStatus  `xml:"status"`
	Type       string      `xml:"type"`
	SpotPrice  string      `xml:"spotPrice"`
	Created    string      `xml:"createTime"`
	From       string      `xml:"validFrom,omitempty"`
	Until      string      `xml:"validUntil,omitempty"`
	Launch     string      `xml:"launchGroup,omitempty"`
	ZoneGroup  string      `xml:"availabilityZoneGroup,omitempty"`
	InstanceID string      `xml:"instanceId,omitempty"`
	Zone       string      `xml:"launchedAvailabilityZone,omitempty"`
	ZoneID     string      `xml:"launchedAvailabilityZoneId,omitempty"`
	Product    string      `xml:"productDescription"`
	Action     string      `xml:"instanceInterruptionBehavior"`
	Spec       spotLaunch  `xml:"launchSpecification"`
	Fault      *spotStatus `xml:"fault"`
	Tags       list[tag]   `xml:"tagSet" json:"-"`
}

type spotStatus struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
	Updated string `xml:"updateTime,omitempty"`
}

// spotLaunch is what a request's instance is launched with.
type spotLaunch struct {
	ImageID    string            `xml:"imageId,omitempty"`
	Type       string            `xml:"instanceType,omitempty"`
	KeyName    string            `xml:"keyName,omitempty"`
	SubnetID   string            `xml:"subnetId,omitempty"`
	Groups     list[groupName]   `xml:"groupSet"`
	Profile    *instanceProfile  `xml:"iamInstanceProfile"`
	Placement  *placement        `xml:"placement"`
	Monitoring *monitoring       `xml:"monitoring"`
	Devices    list[blockDevice] `xml:"blockDeviceMapping"`
	EBS        *bool             `xml:"ebsOptimized"`
}

var spotRequests = &kind[spotRequest]{
	table: state.NewTable[entry[spotRequest]]("ec2-spot-request"), prefix: "sir", noun: "spot instance request ID",
	code: "InvalidSpotInstanceRequestID",
	id:   func(v spotRequest) string { return v.RequestID },
}

// spotCodes are what EC2 says of a request.
var spotCodes = map[string]string{
	"fulfilled":                             "Your Spot request is fulfilled.",
	"capacity-not-available":                "There is no Spot capacity available that matches your request.",
	"instance-terminated-by-user":           "Spot Instance terminated due to user-initiated termination.",
	"instance-terminated-no-capacity":       "Your Spot instance was terminated because there is no Spot capacity available.",
	"marked-for-termination":                "Your Spot Instance is marked for termination, and will be terminated soon.",
	"instance-stopped-by-user":              "Your Spot Instance was stopped due to user-initiated stop.",
	"request-canceled-and-instance-running": "Your Spot request is canceled, but your instance(s) from the Spot request are still running.",
	"canceled-before-fulfillment":           "Your Spot request is canceled before it was fulfilled.",
}

// askSpot makes the requests of spot instances that were launched without one.
func (s *Service) askSpot(tx *state.Txn, of region.Instance, d *instanceDetails, now time.Time) {
	if !of.Launch.Spot || d.SpotRequestID != "" {
		return
	}
	d.SpotRequestID = newID("sir")
	kind := "one-time"
	if d.SpotPersistent {
		kind = "persistent"
	}
	spotRequests.put(s, tx, spotRequest{RequestID: d.SpotRequestID, State: "active", Type: kind, SpotPrice: "0.000000",
		Created: timestamp(now), InstanceID: of.ID, Zone: of.Zone, ZoneID: s.zoneID(of.Zone), Product: "Linux/UNIX",
		Action: cmp.Or(d.SpotAction, "terminate"),
		Spec:   spotLaunch{ImageID: of.Launch.ImageID, Type: of.Launch.Type, KeyName: of.Launch.KeyName, SubnetID: of.SubnetID}})
}

// shownSpotRequest is the request with its tags, and with what has become of its instance.
func (s *Service) shownSpotRequest(tx *state.Txn, v spotRequest) spotRequest {
	v.Tags = s.tagsOf(tx, v.RequestID)
	code, at, of := "capacity-not-available", v.Created, region.Instance{}
	if v.InstanceID != "" {
		of, _ = region.Instances.Get(tx, v.InstanceID)
		at, code = timestamp(of.Since), "fulfilled"
		switch {
		case !of.State.Alive() && of.Reason == region.SpotTermination:
			code = "instance-terminated-no-capacity"
		case !of.State.Alive():
			code = "instance-terminated-by-user"
		case of.Spot != nil:
			code = "marked-for-termination"
		case of.State == region.InstanceStopped || of.State == region.InstanceStopping:
			code = "instance-stopped-by-user"
		}
	}
	switch {
	case v.State == "cancelled" && v.InstanceID != "" && of.State.Alive():
		code = "request-canceled-and-instance-running"
	case v.State == "cancelled" && v.InstanceID == "":
		code = "canceled-before-fulfillment"
	case v.State == "active" && !of.State.Alive():
		v.State = "closed"
	case v.State == "active" && of.State == region.InstanceStopped:
		v.State = "disabled"
	}
	v.Status = spotStatus{code, spotCodes[code], at}
	return v
}

type spotSpecification struct {
	templateData
	SubnetID   string `ec2:"SubnetId"`
	Addressing string `ec2:"AddressingType"`
}

type requestSpotInput struct {
	Spec           spotSpecification  `ec2:"LaunchSpecification"`
	Price          string             `ec2:"SpotPrice"`
	Count          *int               `ec2:"InstanceCount"`
	Type           string             `ec2:"Type"`
	Token          string             `ec2:"ClientToken"`
	From           string             `ec2:"ValidFrom"`
	Until          string             `ec2:"ValidUntil"`
	Launch         string             `ec2:"LaunchGroup"`
	ZoneGroup      string             `ec2:"AvailabilityZoneGroup"`
	Minutes        *int               `ec2:"BlockDurationMinutes"`
	Action         string             `ec2:"InstanceInterruptionBehavior"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type spotRequestsOutput struct {
	Requests  list[spotRequest] `xml:"spotInstanceRequestSet"`
	NextToken string            `xml:"nextToken,omitempty"`
}

// check finds what EC2 refuses in a request of spot instances, and gives the price as it is shown.
func (in *requestSpotInput) check() (price string, err error) {
	price = "0.000000"
	if in.Price != "" {
		dollars, err := strconv.ParseFloat(in.Price, 64)
		if err != nil || dollars <= 0 {
			return "", refuse("InvalidParameterValue", "Value (%s) for parameter price is invalid. \"%s\" is an invalid spot instance price",
				clip(in.Price), clip(in.Price))
		}
		price = fmt.Sprintf("%.6f", dollars)
	}
	in.Type, in.Action = cmp.Or(in.Type, "one-time"), cmp.Or(in.Action, "terminate")
	switch {
	case in.Type != "one-time" && in.Type != "persistent":
		return "", refuse("InvalidParameterValue", "Value (%s) for parameter type is invalid. It must be one-time or persistent.", clip(in.Type))
	case in.Action != "terminate" && in.Action != "stop" && in.Action != "hibernate":
		return "", refuse("InvalidParameterValue", "Value (%s) for parameter instanceInterruptionBehavior is invalid.", clip(in.Action))
	case in.Action != "terminate" && in.Type == "one-time":
		return "", refuse("InvalidParameterCombination", "The interruption behaviors stop and hibernate are for persistent requests.")
	case in.Count != nil && (*in.Count < 1 || *in.Count > maxLaunch):
		return "", refuse("InvalidParameterValue", "Value (%d) for parameter instanceCount is invalid.", *in.Count)
	}
	return price, nil
}

func (s *Service) requestSpot(call *operation.Call, in *requestSpotInput) (*spotRequestsOutput, error) {
	price, err := in.check()
	if err != nil {
		return nil, err
	}
	given, err := newTags(in.Specifications, "spot-instances-request")
	if err != nil {
		return nil, err
	}
	count := 1
	if in.Count != nil {
		count = *in.Count
	}
	data := in.Spec.templateData
	data.Market = &marketOptions{Type: "spot", Spot: &spotOptions{Type: in.Type, Action: in.Action}}
	out, now := &spotRequestsOutput{}, s.now()
	return change(s, call, out, func(tx *state.Txn) error {
		out.Requests = nil
		names := s.groupNames(tx)
		for range count {
			v := spotRequest{RequestID: newID("sir"), State: "open", Type: in.Type, SpotPrice: price, Created: timestamp(now),
				From: in.From, Until: in.Until, Launch: in.Launch, ZoneGroup: in.ZoneGroup, Product: "Linux/UNIX", Action: in.Action,
				Spec: spotLaunch{ImageID: data.ImageID, Type: cmp.Or(data.InstanceType, defaultInstanceType), KeyName: data.KeyName,
					SubnetID: in.Spec.SubnetID, Profile: data.Profile, Placement: data.Placement, Monitoring: data.Monitoring,
					Devices: data.Devices, EBS: data.EBSOptimized}}
			made, err := s.Launch(tx, LaunchRequest{SubnetID: in.Spec.SubnetID, Count: 1, data: data, spotRequest: v.RequestID}, now)
			if refusal, told := err.(*wire.Error); told && refusal.Code == "InsufficientInstanceCapacity" {
				err = nil
			}
			if err != nil {
				return err
			}
			for _, of := range made {
				v.State, v.InstanceID, v.Zone, v.ZoneID = "active", of.ID, of.Zone, s.zoneID(of.Zone)
				for _, group := range of.Launch.Groups {
					v.Spec.Groups = append(v.Spec.Groups, groupName{group, names(group)})
				}
			}
			spotRequests.put(s, tx, v)
			tags.Put(tx, v.RequestID, given)
			out.Requests = append(out.Requests, s.shownSpotRequest(tx, v))
		}
		return nil
	})
}

type describeSpotInput struct {
	IDs        []string `ec2:"SpotInstanceRequestId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

func (s *Service) describeSpotRequests(call *operation.Call, in *describeSpotInput) (*spotRequestsOutput, error) {
	found, next, err := describe(s, call, spotRequests, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *spotRequest) { *v = s.shownSpotRequest(tx, *v) })
	return &spotRequestsOutput{found, next}, err
}

type cancelSpotInput struct {
	IDs []string `ec2:"SpotInstanceRequestId,required"`
}

type cancelledSpot struct {
	RequestID string `xml:"spotInstanceRequestId"`
	State     string `xml:"state"`
}

type cancelSpotOutput struct {
	Requests list[cancelledSpot] `xml:"spotInstanceRequestSet"`
}

// cancelSpotRequests cancels requests: their instances run on.
func (s *Service) cancelSpotRequests(call *operation.Call, in *cancelSpotInput) (*cancelSpotOutput, error) {
	out := &cancelSpotOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Requests = nil
		for _, id := range in.IDs {
			v, err := spotRequests.get(s, tx, id)
			if err != nil {
				return err
			}
			if shown := s.shownSpotRequest(tx, v); shown.State != "closed" {
				v.State = "cancelled"
				spotRequests.put(s, tx, v)
			}
			out.Requests = append(out.Requests, cancelledSpot{id, "cancelled"})
		}
		return nil
	})
}
