# An application load balancer with a rule and a target of its own, and a network one.

data "aws_subnets" "public" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
  filter {
    name   = "map-public-ip-on-launch"
    values = ["true"]
  }
}

resource "aws_lb" "shop" {
  name         = "shop"
  subnets      = data.aws_subnets.public.ids
  idle_timeout = 30
  tags         = { Team = var.extra }
}

resource "aws_lb_target_group" "pods" {
  name        = "pods"
  port        = 80
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = data.aws_vpc.default.id
  health_check {
    path    = "/healthz"
    matcher = "200-299"
  }
  stickiness {
    type = "lb_cookie"
  }
}

resource "aws_lb_target_group_attachment" "pod" {
  target_group_arn = aws_lb_target_group.pods.arn
  target_id        = cidrhost(data.aws_vpc.default.cidr_block, 200)
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 8081
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.pods.arn
  }
}

resource "aws_lb_listener_rule" "fixed" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 10
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = var.extra
      status_code  = "200"
    }
  }
  condition {
    path_pattern {
      values = ["/fixed/*"]
    }
  }
}

resource "aws_lb" "fast" {
  name                             = "fast"
  load_balancer_type               = "network"
  internal                         = true
  enable_cross_zone_load_balancing = true
  dynamic "subnet_mapping" {
    for_each = data.aws_subnets.public.ids
    content {
      subnet_id = subnet_mapping.value
    }
  }
}

resource "aws_lb_target_group" "tcp" {
  name     = "tcp"
  port     = 5432
  protocol = "TCP"
  vpc_id   = data.aws_vpc.default.id
}

resource "aws_lb_listener" "tcp" {
  load_balancer_arn = aws_lb.fast.arn
  port              = 5433
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tcp.arn
  }
}
